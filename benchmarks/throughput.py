"""Part of `bench.py`: images a second of three towers, with and without feedback, and the memory that they need.

One image of 336 × 448 pixels as one window, clearclip, 20 words whose embeddings are ready, random weights; from the
array of pixels to the labels. Each tower in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedseg import Settings
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Setup, megabytes
from random_models import TOWERS, random_segmenter, vocabulary
from timing import Memory, alone, in_turn

SETTINGS = Settings(short_side=336, window=None)
FEEDBACKS = {"without": "none", "with": "paper"}


def of_tower(setup: Setup, name: str) -> Figures:
    """By dtype: seconds an image and the most memory of the process, with weights and libraries."""
    image = np.random.default_rng(0).integers(0, 256, setup.size((336, 448, 3), (32, 48, 3)), np.uint8)
    settings = setup.size(SETTINGS, Settings(short_side=32, window=None))
    words, found = vocabulary(), {}
    for dtype in ("fp32", "bf16") if setup.device == "cpu" else ("fp32", "fp16", "bf16"):
        segmenter = random_segmenter(
            name, "clearclip", settings=settings, device=setup.device, dtype=dtype, tiny=setup.quick
        )
        works = {
            label: lambda feedback=feedback, segmenter=segmenter: segmenter(image, words, feedback=feedback)
            for label, feedback in FEEDBACKS.items()
        }
        memory = Memory(setup.device)
        found[dtype] = in_turn(works, setup.repeats, setup.device) | {"bytes": memory.peak}
        del segmenter, works
    return found


def measure_throughput(setup: Setup) -> Figures:
    return {name: alone(setup, of_tower, name) for name in setup.size(tuple(TOWERS), ("ViT-B/16",))}


def throughput_tables(found: Figures) -> Sequence[Table]:
    rows = []
    for name, by_dtype in found.items():
        for dtype, of in by_dtype.items():
            rates = [rate_text(of[label]) for label in FEEDBACKS]
            rows.append((name, dtype, *rates, megabytes(of["bytes"])))
    headings = ("tower", "dtype", "images a second, no feedback", "with feedback", "memory in all")
    return [Table("Images a second", headings, rows)]


def rate_text(times: Figures) -> str:
    """Images a second: median, slowest and fastest."""
    return f"{1 / times['median']:.2f} ({1 / times['most']:.2f}–{1 / times['least']:.2f})"


THROUGHPUT = Part("throughput", measure_throughput, throughput_tables)
