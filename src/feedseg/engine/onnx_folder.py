"""A segmenter as a folder of ONNX graphs, checked against torch before it is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.errors import FeedsegError
from feedseg.files import write_folder_atomically
from feedseg.segmenter import Segmenter
from feedseg.vision.onnx.export import check_extra, export_windows, export_word
from feedseg.vision.text.base import WordGraph

RECORD, WINDOWS, WORD, TOKENIZER = "export.json", "image.onnx", "text.onnx", "tokenizer.json"
FORMAT = 1  # of the folder
CHECK_WORDS = ("cat", "grass", "sky")  # where the model has no list of its own
CHECKED = ((1, 8, 8), (1, 9, 14), (2, 12, 7), (3, 5, 10))  # windows, rows and columns in whole patches
TOLERANCE = 1e-4  # of a cosine
LEAST_AGREEMENT = 0.99  # of the patches; a near tie may turn by rounding


@dataclass(frozen=True)
class Agreement:
    """How far the graphs in onnxruntime agree with torch, over the patches of all sizes that were tried."""

    largest_difference: float  # of a cosine
    within_tolerance: float  # fraction of the patches, none of whose cosines differs by more than 1e-4
    same_label: float  # fraction of the patches


def export_folder(segmenter: Segmenter, out: Path, *, overwrite: bool = False) -> Agreement:
    """Write the graphs, the tokenizer and `export.json`; the folder is whole or not there.

    Args:
        segmenter: on the CPU, in fp32.
        out: the folder.
        overwrite: whether an earlier export in its place is replaced.

    Raises:
        FeedsegError: the extra is missing, something cannot be exported or does not agree with torch, or there is
            something in the folder's place.
    """
    check_extra()
    check_place(out, overwrite)
    if segmenter.settings.second_view is not None:
        raise FeedsegError("a graph looks at a window once: leave out the second view")
    words = segmenter.model.text.word_graph()
    known = segmenter.model.text.known_words[: len(CHECK_WORDS)]
    queries = segmenter.model.text.embed(known if len(known) == len(CHECK_WORDS) else CHECK_WORDS, None)
    with write_folder_atomically(out) as folder:
        export_word(words, folder / WORD)
        (folder / TOKENIZER).write_text(words.tokenizer, encoding="utf-8")
        export_windows(segmenter.encoder, segmenter.feedback, queries.shape[1], folder / WINDOWS)
        agreement = _checked(segmenter, queries, folder / WINDOWS)
        _check_word(segmenter, words, known[0] if known else CHECK_WORDS[0], folder)
        record = json.dumps(described(segmenter, words, agreement), indent=2, ensure_ascii=False)
        (folder / RECORD).write_text(record + "\n", encoding="utf-8")
    return agreement


def check_place(out: Path, overwrite: bool) -> None:
    """Raises FeedsegError where the folder cannot be written without losing something."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.is_dir() and (out / RECORD).is_file():
        if not overwrite:
            raise FeedsegError(f"{out} holds an export already: give another --out, or --overwrite")
    elif out.exists() or out.is_symlink():
        raise FeedsegError(f"{out} is there, and is no export of ours: give another --out")


def described(segmenter: Segmenter, words: WordGraph, agreement: Agreement) -> dict[str, Any]:
    """What a program needs to know of the graphs, and where they are from, as JSON has it."""
    settings, tower = segmenter.settings, segmenter.encoder.tower
    return {
        "format": FORMAT,
        "feedseg": version("feedseg"),
        "image": {
            "file": WINDOWS,
            "multiple": segmenter.encoder.multiple,  # of the sides, in pixels
            "short_side": settings.short_side,
            "max_long_side": settings.max_long_side,
            "window": settings.window,
            "stride": None if settings.window is None else settings.stride,
            "resample": "bicubic",
            "pixels": "RGB from 0 to 1",  # the graph itself normalises them, for tower and proxy each in its way
            "mean": tower.mean,
            "std": tower.std,
        },
        "text": {
            "file": WORD,
            "tokenizer": TOKENIZER,
            "templates": words.templates,
            "max_tokens": words.max_length,
        },
        "logit_scale": settings.logit_scale,
        "settings": segmenter.describe(),
        "models": segmenter.provenance(),
        "agreement": asdict(agreement),
    }


def _checked(segmenter: Segmenter, queries: Tensor, path: Path) -> Agreement:
    """How far the graph of windows agrees. Raises FeedsegError where that is not far enough."""
    encoder = segmenter.encoder
    differences, same = [], []
    run = _session(path)
    for count, rows, columns in CHECKED:
        pixels = _image(count, rows * encoder.multiple, columns * encoder.multiple)
        expected = torch.stack([window.logits(queries, segmenter.feedback) for window in encoder(pixels)])
        found = run({"pixels": pixels, "text": queries})
        if found.shape != expected.shape:
            raise FeedsegError(f"the exported graph gives {tuple(found.shape)}, and torch {tuple(expected.shape)}")
        differences.append((found - expected).abs().amax(dim=1).flatten())
        same.append((found.argmax(dim=1) == expected.argmax(dim=1)).flatten())
    difference = torch.cat(differences)
    agreement = Agreement(
        float(difference.max()),
        float((difference <= TOLERANCE).float().mean()),
        float(torch.cat(same).float().mean()),
    )
    if not min(agreement.within_tolerance, agreement.same_label) >= LEAST_AGREEMENT:
        raise FeedsegError(
            f"exported, the host {encoder.host.name} with this model gives other numbers than torch: "
            f"{agreement.same_label:.1%} of the labels and {agreement.within_tolerance:.1%} of the cosines agree"
        )
    return agreement


def _check_word(segmenter: Segmenter, words: WordGraph, word: str, folder: Path) -> None:
    """Raises FeedsegError where a word's embedding by its graph and the saved tokenizer is another one."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    encodings = tokenizer.encode_batch([template.replace("{}", word) for template in words.templates])
    ids, mask = (torch.tensor([getattr(one, name) for one in encodings]) for name in ("ids", "attention_mask"))
    found = _session(folder / WORD)({"ids": ids, "mask": mask})
    (expected,) = segmenter.model.text.embed([word], None)
    if not bool(((found - expected).abs() <= TOLERANCE).all()):
        raise FeedsegError(f"exported, the words' encoder gives another embedding of {word!r} than torch")


def _session(path: Path) -> Callable[[dict[str, Tensor]], Tensor]:
    """A graph's one output for its inputs by onnxruntime; what it cannot do is a FeedsegError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its own lines on stderr; errors are raised anyway
    options.intra_op_num_threads = torch.get_num_threads()

    def run(inputs: dict[str, Tensor]) -> Tensor:
        try:
            (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        except Exception as error:  # onnxruntime has a class for each of its status codes
            raise FeedsegError(f"onnxruntime cannot run {path.name} at every size: {_brief(error)}") from error
        return torch.from_numpy(found)

    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise FeedsegError(f"onnxruntime cannot load {path.name}: {_brief(error)}") from error
    return run


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _image(count: int, height: int, width: int) -> Tensor:
    """Windows of soft, coloured areas, in [0, 1], the same every time."""
    generator = torch.Generator().manual_seed(height * width)
    coarse = torch.rand(count, 3, 4, 5, generator=generator)
    return interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False).clamp(0, 1)
