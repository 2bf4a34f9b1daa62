"""What lower precision costs and saves on a CPU: bf16, fp16 and int8 against fp32, on real photographs.

    python -m research.quality.quantised [--root ../shared/realbench] [--hosts clearclip proxyclip] [--json FILE]

For every host, with the paper's feedback, and every variant of the tower: the percentage of the photographs' pixels
that get fp32's label, mIoU by the voc20 protocol, and CPU time an image with its ratio to fp32's. One thread.

"weights bf16" rounds the weights of the blocks and computes in fp32. int8 is dynamic: weights are rounded once, an
output channel at a time, and what enters a layer anew in every call, either by one scale for all of it ("tensor",
torch.ao.quantization) or by one for every token ("token", torch._int_mm).
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from research.quality.photographs import VOC, image_path, listed, need, target_of
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from feedseg import Segmenter, Vocabulary
from feedseg.evaluation.metrics.confusion import confusion_matrix, mean_iou


class TokenInt8Linear(nn.Module):
    """A linear layer on int8 products: weights rounded per output channel, each token by its own largest value."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(dim=1, keepdim=True).clamp_(min=1e-12) / 127
        self.columns = (weight / scale).round_().to(torch.int8).T  # (in, out)
        self.scale = scale[:, 0]
        self.bias = linear.bias

    def forward(self, tokens: Tensor) -> Tensor:
        rows = tokens.flatten(0, -2)
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_(min=1e-12) / 127
        product = torch._int_mm(  # pyright: ignore[reportPrivateImportUsage]
            (rows / scale).round_().to(torch.int8), self.columns
        )
        out = product.float().mul_(scale).mul_(self.scale)
        if self.bias is not None:
            out.add_(self.bias)
        return out.unflatten(0, tokens.shape[:-1])


def by_token(part: nn.Module) -> None:
    """Every linear layer below `part` becomes int8 with a scale a token."""
    for name, child in list(part.named_children()):
        if isinstance(child, nn.Linear):
            setattr(part, name, TokenInt8Linear(child))
        else:
            by_token(child)


def by_tensor(part: nn.Module) -> None:
    """Every linear layer below `part` becomes torch's own dynamic int8, weights per channel."""
    from torch.ao.quantization import quantize_dynamic
    from torch.ao.quantization.qconfig import per_channel_dynamic_qconfig

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of a package of its own
        quantize_dynamic(part, {nn.Linear: per_channel_dynamic_qconfig}, inplace=True)


def weights_to_bf16(part: nn.Module) -> None:
    """Every weight below `part` is rounded to bf16, while the arithmetic stays fp32."""
    part.to(torch.bfloat16).to(torch.float32)


Quantise = Callable[[nn.Module], None]
# name -> the type that the segmenter is loaded with, what becomes of blocks, and of which
VARIANTS: dict[str, tuple[str, Quantise | None, slice]] = {
    "fp32": ("fp32", None, slice(None)),
    "bf16": ("bf16", None, slice(None)),
    "weights bf16": ("fp32", weights_to_bf16, slice(None)),
    "fp16": ("fp16", None, slice(None)),
    "int8, tensor": ("fp32", by_tensor, slice(None)),
    "int8, tensor, last block fp32": ("fp32", by_tensor, slice(-1)),
    "int8, tensor, first and last fp32": ("fp32", by_tensor, slice(1, -1)),
    "int8, token": ("fp32", by_token, slice(None)),
    "int8, token, last block fp32": ("fp32", by_token, slice(-1)),
    "int8, token, first and last fp32": ("fp32", by_token, slice(1, -1)),
}


def labels_of(segmenter: Segmenter, root: Path, photographs: list[str]) -> tuple[list[np.ndarray], float]:
    """Every photograph's labels, and CPU seconds an image."""
    vocabulary = Vocabulary(VOC)
    paths = [image_path(root, name) for name in photographs]
    segmenter(paths[0], vocabulary)
    start = time.process_time()
    labels = [segmenter(path, vocabulary).labels for path in paths]
    return labels, (time.process_time() - start) / len(paths)


def score(labels: list[np.ndarray], root: Path, photographs: list[str]) -> float:
    """mIoU of the voc20 protocol, in percent."""
    confusion = np.zeros((20, 20), np.int64)
    for name, found in zip(photographs, labels, strict=True):
        target = target_of(root, name)
        confusion += confusion_matrix(np.where((target == 0) | (target == 255), 255, target - 1), found, 20)
    return 100 * mean_iou(confusion)


def quantised(segmenter: Segmenter, quantise: Quantise | None, which: slice) -> Segmenter:
    """The segmenter with some of its tower's blocks changed; the joint projection stays as it is."""
    if quantise is not None:
        for block in segmenter.model.tower.blocks[which]:
            quantise(block)
    return segmenter


def photographs_by_variant(options: argparse.Namespace, console: Console) -> list[dict[str, float | str]]:
    """A row for every host and variant."""
    photographs = listed(options.root, options.split)[: options.limit]
    rows: list[dict[str, float | str]] = []
    jobs = [(host, variant) for host in options.hosts for variant in options.variants]
    exact: list[np.ndarray] = []
    usual = 0.0
    for host, variant in track(jobs, console=console, description="variants", disable=not console.is_terminal):
        dtype, quantise, which = VARIANTS[variant]
        segmenter = Segmenter.load(options.root, host=host, feedback="paper", dtype=dtype, device="cpu")
        labels, seconds = labels_of(quantised(segmenter, quantise, which), options.root, photographs)
        if variant == "fp32":
            exact, usual = labels, seconds
        same = sum(int((one == other).sum()) for one, other in zip(exact, labels, strict=True))
        rows.append(
            {
                "host": host,
                "variant": variant,
                "agreement": 100 * same / sum(found.size for found in exact),
                "voc20": score(labels, options.root, photographs),
                "seconds": seconds,
                "ratio": seconds / usual,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    parser.add_argument("--split", default="val", help="train or val")
    parser.add_argument("--hosts", nargs="+", default=["clearclip", "proxyclip"])
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--limit", type=int, help="photographs")
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    options = parser.parse_args()
    need(options.root)
    options.variants = ["fp32", *(name for name in options.variants if name != "fp32")]  # what the others compare with
    torch.set_num_threads(1)
    console = Console()
    photographs = photographs_by_variant(options, console)
    table = Table("host", "variant", "fp32's labels, %", "voc20", "CPU s / image", "of fp32's")
    for row in photographs:
        figures = (f"{row['agreement']:.2f}", f"{row['voc20']:.1f}", f"{row['seconds']:.3f}", f"{row['ratio']:.2f}")
        table.add_row(str(row["host"]), str(row["variant"]), *figures)
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(photographs, indent=1))


if __name__ == "__main__":
    main()
