"""Graphs into files: the windows' for every size, number of windows and of words; the words' for any prompts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from feedseg.errors import FeedsegError, first_line
from feedseg.settings import MOST_PIXELS
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.feedback.base import Feedback
from feedseg.vision.onnx.graphs import WindowGraph
from feedseg.vision.text.base import WordGraph

OLDEST_TORCH = (2, 9)  # from which on this exporter is torch's own default
LARGEST_WEIGHTS = 3 << 29  # bytes that one file holds with its graph, which ends at 2 GB; more are a file beside it
# What is traced with: no dimension is one, which a tracer takes for a constant, and none is like another.
WINDOWS, ROWS, COLUMNS, QUERIES, PROMPTS, TOKENS = 3, 6, 7, 5, 2, 4


def check_extra() -> None:
    """Raises FeedsegError where the packages of the extra are missing, or torch is too old for its exporter."""
    found = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if found < OLDEST_TORCH:
        needed = ".".join(map(str, OLDEST_TORCH))
        raise FeedsegError(f"exporting to ONNX needs torch {needed} or later, and this is {torch.__version__}")
    try:
        import onnx  # noqa: F401  # pyright: ignore[reportMissingImports]
        import onnxruntime  # noqa: F401  # pyright: ignore[reportMissingImports]
        import onnxscript  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise FeedsegError(
            f'exporting to ONNX needs an extra, {error.name} is missing: pip install "feedseg[onnx]"'
        ) from error


def export_windows(encoder: WindowEncoder, feedback: Feedback | None, size: int, path: Path) -> None:
    """Write the graph of windows and words to logits, with feedback unless it is None; see `WindowGraph`.

    Args:
        encoder: tower, host and proxy, on the CPU, fp32.
        feedback: one of the package's own.
        size: E, how many numbers an embedding has.
        path: of the file; weights of more than 1.6 GB are a second file beside it.

    Raises:
        FeedsegError: something of it cannot be exported.
    """
    if encoder.tower_part is not None:
        raise FeedsegError(
            "a tower that sees windows in parts, whose number varies with their size, cannot be exported to ONNX: take "
            "another speed than fastest"
        )
    multiple = encoder.multiple
    most = MOST_PIXELS // multiple
    rows, columns = (torch.export.Dim(name, min=2, max=most) for name in ("rows", "columns"))
    shapes = (
        {0: torch.export.Dim("windows"), 2: multiple * rows, 3: multiple * columns},
        {0: torch.export.Dim("queries")},
    )
    inputs = {
        "pixels": torch.linspace(0, 1, WINDOWS * 3 * ROWS * COLUMNS * multiple**2).reshape(
            WINDOWS, 3, ROWS * multiple, COLUMNS * multiple
        ),
        "text": torch.eye(QUERIES, size),
    }
    what = f"the host {encoder.host.name} with this tower"
    if encoder.proxy is not None:
        what = f"the host {encoder.host.name} with this tower and the proxy {encoder.proxy.name}"
    _export(WindowGraph(encoder, feedback).eval(), inputs, shapes, "logits", path, what)


def export_word(graph: WordGraph, path: Path) -> None:
    """Write the graph of a word's prompts, (prompts, tokens), to its embedding, (E,).

    Raises:
        FeedsegError: it cannot be exported.
    """
    most = graph.max_length or MOST_PIXELS
    dims = {0: torch.export.Dim("prompts"), 1: torch.export.Dim("tokens", min=2, max=most)}
    mask = torch.ones(PROMPTS, TOKENS, dtype=torch.int64)
    mask[0, -1] = 0
    inputs = {"ids": torch.arange(PROMPTS * TOKENS).reshape(PROMPTS, TOKENS) % 4, "mask": mask}
    _export(graph.module.eval(), inputs, (dims, dims), "vector", path, "the words' encoder")


def _export(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    shapes: Sequence[Mapping[int, Any]],
    output: str,
    path: Path,
    what: str,
) -> None:
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                dynamo=True,
                dynamic_shapes=tuple(shapes),
                input_names=list(inputs),
                output_names=[output],
                verbose=False,
            )
    except FeedsegError:
        raise
    except Exception as error:  # the exporter has many kinds, and what it traces may raise anything
        raise FeedsegError(f"{what} cannot be exported to ONNX: {_reason(error)}") from error
    assert program is not None
    weights = sum(each.numel() * each.element_size() for each in module.parameters())
    program.save(path, external_data=weights > LARGEST_WEIGHTS)


def _reason(error: BaseException) -> str:
    """The first line of what lies at the bottom of an exporter's error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)[:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's advice, and its warnings of what torch itself calls, say nothing to our users."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
