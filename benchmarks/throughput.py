"""Part of `bench.py`: pictures a second of three towers, with and without feedback, and the memory that they need.

One picture of 336 × 448 pixels, seen at once, clearclip, 20 words whose embeddings are ready, random weights; from the
array of pixels to the labels. Each tower in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Setup, megabytes
from random_models import TOWERS, WORDS, random_model
from timing import Memory, alone, in_turn

SETTINGS = Settings(short_side=336, window=None)
KINDS = {"without": False, "with": True}


def of_tower(setup: Setup, name: str) -> Figures:
    """By number type: seconds a picture and the most memory of the process, with weights and libraries."""
    picture = np.random.default_rng(0).integers(0, 256, setup.size((336, 448, 3), (32, 48, 3)), np.uint8)
    settings = setup.size(SETTINGS, Settings(short_side=32, window=None))
    model, words, found = random_model(name, tiny=setup.quick), Vocabulary(WORDS), {}
    for dtype in ("fp32", "bf16") if setup.device == "cpu" else ("fp32", "fp16", "bf16"):
        segmenters = {
            kind: Segmenter.load(
                model, host="clearclip", feedback=feedback, settings=settings, device=setup.device, dtype=dtype
            )
            for kind, feedback in KINDS.items()
        }
        memory = Memory(setup.device)
        works = {kind: lambda one=one: one(picture, words) for kind, one in segmenters.items()}
        found[dtype] = in_turn(works, setup.repeats, setup.device) | {"bytes": memory.peak}
    return found


def measure_throughput(setup: Setup) -> Figures:
    return {name: alone(setup, of_tower, name) for name in setup.size(tuple(TOWERS), ("ViT-B/16",))}


def throughput_tables(found: Figures) -> Sequence[Table]:
    rows = []
    for name, by_dtype in found.items():
        for dtype, of in by_dtype.items():
            rates = [rate_text(of[kind]) for kind in KINDS]
            rows.append((name, dtype, *rates, megabytes(of["bytes"])))
    headings = ("tower", "numbers", "pictures a second, no feedback", "with feedback", "memory in all")
    return [Table("Pictures a second", headings, rows)]


def rate_text(times: Figures) -> str:
    """Pictures a second: median, slowest and fastest."""
    return f"{1 / times['median']:.2f} ({1 / times['most']:.2f}–{1 / times['least']:.2f})"


THROUGHPUT = Part("throughput", measure_throughput, throughput_tables)
