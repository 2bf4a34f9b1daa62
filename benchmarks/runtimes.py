"""A window by torch, onnxruntime and OpenVINO, side by side in one run: CPU seconds, and how many pixels agree.

    python benchmarks/runtimes.py [--model photo | ViT-B/16] [--images FOLDER] [--limit 20] [--repeats 5]
        [--float PART …] [--kept FOLDER]

The graph is the one of `feedseg export`: tower, host and feedback. In eight bits are the tower's linear layers, with
a scale a channel for weights and one a layer for what they are applied to, calibrated on the bundled photographs; but
for those that --float names by a part of their place ("mlp.fc2"). Every runtime has one thread, and the time is that of
the process, so that what else the machine does counts little. ViT-B/16 has random weights: its times are right, its
labels say less. With --kept the graphs are taken from a folder, or kept there. It needs onnxruntime, onnx, onnxscript
and openvino.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is there

import numpy as np
import onnx
import openvino
import torch
from onnxruntime import InferenceSession, SessionOptions  # pyright: ignore[reportAttributeAccessIssue]
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg import Segmenter
from feedseg.io.images import fitted_size, read_image, resized
from feedseg.vision.onnx.export import export_windows
from feedseg.weights.catalog import CARDS

PHOTOGRAPHS = CARDS["photo"].folder.parent / "photographs"
WORDS = ("aeroplane", "bicycle", "bird", "boat", "car", "cat", "chair", "cow", "dog", "horse", "person", "sofa", "sky")
SHOWN = (480, 640)  # pixels are compared at this size
Runtime = Callable[[Tensor, Tensor], Tensor]


class Photographs(CalibrationDataReader):
    """What the graph in eight bits is calibrated with."""

    def __init__(self, images: Sequence[Tensor], text: Tensor) -> None:
        self._inputs = iter([{"pixels": one.numpy(), "text": text.numpy()} for one in images])

    def get_next(self) -> Any:
        return next(self._inputs, None)


def by_torch(segmenter: Segmenter, dtype: torch.dtype) -> Runtime:
    """Tower and host in a type, with weights of its own; the feedback computes in fp32 whatever the type."""
    encoder = replace(segmenter.encoder, tower=deepcopy(segmenter.encoder.tower).to(dtype))

    def run(pixels: Tensor, text: Tensor) -> Tensor:
        (window,) = encoder(pixels)
        return window.logits(text, segmenter.feedback)[None]

    return run


def by_onnxruntime(path: Path) -> Runtime:
    options = SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3  # its graph optimisations are all on by default
    session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels, text: torch.from_numpy(session.run(None, {"pixels": pixels.numpy(), "text": text.numpy()})[0])


def by_openvino(path: Path, precision: str) -> Runtime:
    options = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(path, "CPU", options)
    request = compiled.create_infer_request()

    def run(pixels: Tensor, text: Tensor) -> Tensor:
        found = request.infer({"pixels": pixels.numpy(), "text": text.numpy()})
        return torch.from_numpy(next(iter(found.values())).copy())

    return run


def linear_layers(path: Path, kept: Sequence[str]) -> list[str]:
    """The nodes that multiply by a matrix of weights, but those whose place has one of `kept` in it."""
    graph = onnx.load(path, load_external_data=False).graph
    weights = {one.name for one in graph.initializer}
    found = []
    for node in graph.node:
        place = " ".join([node.name, *node.input, *(one.value for one in node.metadata_props)])
        is_linear = node.op_type in ("MatMul", "Gemm") and any(name in weights for name in node.input)
        if is_linear and not any(part in place for part in kept):
            found.append(node.name)
    return found


def in_eight_bits(source: Path, target: Path, images: Sequence[Tensor], text: Tensor, kept: Sequence[str]) -> int:
    """Write both graphs in eight bits, with scales measured now and then; how many layers they have in them."""
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    layers = linear_layers(source, kept)
    quantize_dynamic(
        prepared,
        target.with_suffix(".dynamic.onnx"),
        per_channel=True,
        weight_type=QuantType.QInt8,
        nodes_to_quantize=layers,
    )
    quantize_static(
        prepared,
        target,
        Photographs(images, text),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        nodes_to_quantize=layers,
    )
    return len(layers)


def pixels_of(segmenter: Segmenter, folder: Path, limit: int) -> list[Tensor]:
    """Images as the model takes them whole, (1, 3, height, width) each."""
    found = []
    for path in sorted(folder.glob("*.jpg"))[:limit]:
        image = read_image(path)
        size = fitted_size(image.size, segmenter.settings.short_side, 2048, segmenter.encoder.multiple)
        found.append(resized(image, size)[None])
    return found


def labels(logits: Tensor) -> Tensor:
    return interpolate(logits, size=SHOWN, mode="bilinear", align_corners=False).argmax(dim=1)


def measured(runtimes: dict[str, Runtime], images: Sequence[Tensor], text: Tensor, repeats: int) -> Iterator[list[str]]:
    """A row for each: CPU seconds of the first image, how much faster than the first runtime, pixels that agree."""
    expected, agreeing = [], {name: [] for name in runtimes}
    for image in images:
        for name, run in runtimes.items():
            found = labels(run(image, text))
            if name == next(iter(runtimes)):
                expected.append(found)
            agreeing[name].append(float((found == expected[-1]).float().mean()))
    seconds: dict[str, list[float]] = {name: [] for name in runtimes}
    for _ in range(repeats):
        for name, run in runtimes.items():
            run(images[0], text)
            start = time.process_time()
            run(images[0], text)
            seconds[name].append(time.process_time() - start)
    first = next(iter(seconds.values()))
    for name, taken in seconds.items():
        ratios = [one / other for one, other in zip(first, taken, strict=True)]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        agree = f"{np.mean(agreeing[name]):.2%} (least {min(agreeing[name]):.1%})"
        yield [name, f"{median(taken):.3f} ({min(taken):.3f}–{max(taken):.3f})", spread, agree]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo", choices=("photo", "ViT-B/16"))
    parser.add_argument("--images", type=Path, default=PHOTOGRAPHS)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--feedback", default="auto")
    parser.add_argument("--float", nargs="*", default=[], help="parts of the places of layers that stay in fp32")
    parser.add_argument("--kept", type=Path)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    if wanted.model == "photo":
        segmenter = Segmenter.load("photo", device="cpu", feedback=wanted.feedback)
        text = segmenter.embed(list(WORDS))
    else:
        from random_models import random_segmenter, vocabulary

        segmenter = random_segmenter(host="clearclip")
        text = segmenter.embed(vocabulary())
    images = pixels_of(segmenter, wanted.images, wanted.limit)
    with nullcontext(wanted.kept) if wanted.kept else TemporaryDirectory() as name:
        folder = Path(str(name))
        folder.mkdir(parents=True, exist_ok=True)
        exact, small = folder / "image.onnx", folder / "eight.onnx"
        if not exact.exists():
            export_windows(segmenter.encoder, segmenter.feedback, text.shape[1], exact)
        if not small.exists():
            calibrating = pixels_of(segmenter, PHOTOGRAPHS, 4)
            print(in_eight_bits(exact, small, calibrating, text, wanted.float), "layers in eight bits")
        runtimes = {
            "torch fp32": by_torch(segmenter, torch.float32),
            "torch bf16": by_torch(segmenter, torch.bfloat16),
            "onnxruntime fp32": by_onnxruntime(exact),
            "onnxruntime int8, scales measured at every call": by_onnxruntime(small.with_suffix(".dynamic.onnx")),
            "onnxruntime int8": by_onnxruntime(small),
            "openvino fp32": by_openvino(exact, "f32"),
            "openvino bf16": by_openvino(exact, "bf16"),
            "openvino int8": by_openvino(small, "f32"),
        }
        print("| runtime | CPU seconds | times as fast as torch fp32 | pixels that agree |\n|---|---|---|---|")
        for row in measured(runtimes, images, text, wanted.repeats):
            print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
