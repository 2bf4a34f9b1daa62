"""Part of `bench.py`: how time grows with everything that can grow.

The feedback's with the patches N (171 words) and with the words C (1764 patches), one attention for all heads; the
tower's and the feedback's with the side of a square image that is one window for ViT-B/16 with clearclip (an attention
per head, 20 words); the tower's with the windows of 336 × 336 pixels in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from charts import Line, Panel, chart
from feedback import PATCHES, WORDS, inputs, ours
from feedseg import Segmenter, Settings
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Setup
from random_models import random_segmenter, vocabulary
from timing import Work, in_turn

AXES = {
    "patches": "patches N",
    "words": "words C",
    "side": "side of the image, pixels",
    "batch": "windows in a batch",
}
COLOURS = {"feedback": "#0072B2", "tower": "#E69F00"}


def measure_growth(setup: Setup) -> Figures:
    """Of every axis and every line the spread at each size."""
    segmenter = random_segmenter(host="clearclip", device=setup.device, tiny=setup.quick)
    patches = setup.size((441, 784, 1764, 2704, 4096), (64, 128))
    words = setup.size((20, 171, 847), (8, 16))
    return {
        "patches": {"feedback": over(setup, {size: feedback_work(setup, size, WORDS) for size in patches})},
        "words": {
            "feedback": over(setup, {size: feedback_work(setup, setup.size(PATCHES, 64), size) for size in words})
        },
        "side": over_sides(setup, segmenter, setup.size((224, 336, 448, 672), (32, 64))),
        "batch": {
            "tower": over(setup, {size: tower_work(setup, segmenter, size) for size in setup.size((1, 2, 4), (1, 2))})
        },
    }


def over(setup: Setup, works: Mapping[int, Work]) -> Figures:
    """The spread at each size."""
    return in_turn({f"{size}": work for size, work in works.items()}, setup.repeats, setup.device)


def feedback_work(setup: Setup, patches: int, words: int) -> Work:
    given = inputs(patches, words, device=setup.device)
    return lambda: ours(*given)


def tower_work(setup: Setup, segmenter: Segmenter, windows: int) -> Work:
    side, tower = setup.size(336, 32), segmenter.model.tower
    pixels = torch.rand(windows, 3, side, side, device=setup.device)
    return torch.inference_mode()(lambda: tower.encode(pixels))


def over_sides(setup: Setup, segmenter: Segmenter, sides: Sequence[int]) -> Figures:
    """Tower and feedback on the same images."""
    words, random = vocabulary(), np.random.default_rng(0)
    encoded = {}
    works: dict[str, Work] = {}
    for side in sides:
        whole = replace(segmenter, settings=Settings(short_side=side, window=None))
        image = random.integers(0, 256, (side, side, 3), np.uint8)

        def encode(side: int = side, whole: Segmenter = whole, image: np.ndarray = image) -> None:
            encoded[side] = whole.encode(image)
            encoded[side].logits(words, feedback="none")

        works[f"tower {side}"] = encode
        works[f"feedback {side}"] = lambda side=side: encoded[side].logits(words, feedback="paper")
    times = in_turn(works, setup.repeats, setup.device)
    return {name: {f"{side}": times[f"{name} {side}"] for side in sides} for name in ("tower", "feedback")}


def exponent(line: Mapping[str, Figures]) -> float:
    """The k of seconds ∝ size^k that fits best."""
    sizes, medians = [float(size) for size in line], [times["median"] for times in line.values()]
    return float(np.polyfit(np.log(sizes), np.log(medians), 1)[0])


def growth_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (
            name,
            AXES[axis],
            ", ".join(f"{size}: {times['median']:.3f}" for size, times in line.items()),
            f"{exponent(line):.2f}",
        )
        for axis, lines in found.items()
        for name, line in lines.items()
    ]
    return [Table("How it grows", ("what", "with", "seconds at", "exponent"), rows)]


def growth_chart(found: Figures) -> str:
    """An SVG with a panel an axis."""
    panels = []
    for axis, lines in found.items():
        drawn = [
            Line(
                f"{name}: exponent {exponent(line):.2f}",
                COLOURS[name],
                [(float(size), times["least"], times["median"], times["most"]) for size, times in line.items()],
            )
            for name, line in lines.items()
        ]
        panels.append(Panel(AXES[axis], drawn))
    return chart("How the time grows, seconds", panels)


GROWTH = Part("growth", measure_growth, growth_tables)
