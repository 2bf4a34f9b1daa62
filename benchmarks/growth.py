"""Part of `bench.py`: how time grows with everything that can grow.

The feedback's with the patches N (171 words) and with the words C (1764 patches), one attention for all heads; the
tower's and the feedback's with the side of a square picture that ViT-B/16 with clearclip sees at once (an attention
per head, 20 words); the tower's with the windows of 336 × 336 pixels in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.nn.functional import normalize

from charts import Line, Panel, chart
from feedback import PATCHES, WORDS, inputs, ours
from feedseg import FeedbackAttention
from feedseg.evaluation.report.plot import BLUE, ORANGE
from feedseg.evaluation.report.tables import Table
from feedseg.vision.encode import Reader
from feedseg.vision.hosts.attention import HOSTS
from parts import Figures, Part, Setup
from random_models import JOINT, random_tower
from timing import Work, in_turn

AXES = {
    "patches": "patches N",
    "words": "words C",
    "side": "side of the picture, pixels",
    "batch": "windows in a batch",
}
COLOURS = {"feedback": BLUE, "tower": ORANGE}


@torch.inference_mode()
def measure_growth(setup: Setup) -> Figures:
    """Of every axis and every line the spread at each size."""
    reader = Reader(random_tower(tiny=setup.quick), HOSTS["clearclip"])
    reader.tower.to(torch.device(setup.device), torch.float32)
    patches = setup.size((441, 784, 1764, 2704, 4096), (64, 128))
    words = setup.size((20, 171, 847), (8, 16))
    return {
        "patches": {"feedback": over(setup, {size: feedback_work(setup, size, WORDS) for size in patches})},
        "words": {
            "feedback": over(setup, {size: feedback_work(setup, setup.size(PATCHES, 64), size) for size in words})
        },
        "side": over_sides(setup, reader, setup.size((224, 336, 448, 672), (32, 64))),
        "batch": {
            "tower": over(setup, {size: tower_work(setup, reader, size) for size in setup.size((1, 2, 4), (1, 2))})
        },
    }


def over(setup: Setup, works: Mapping[int, Work]) -> Figures:
    """The spread at each size."""
    return in_turn({f"{size}": work for size, work in works.items()}, setup.repeats, setup.device)


def feedback_work(setup: Setup, patches: int, words: int) -> Work:
    given = inputs(patches, words, device=setup.device)
    return lambda: ours(*given)


def tower_work(setup: Setup, reader: Reader, windows: int) -> Work:
    side = setup.size(336, 32)
    pixels = torch.rand(windows, 3, side, side, device=setup.device)
    return lambda: reader.tower.open(pixels)


def over_sides(setup: Setup, reader: Reader, sides: Sequence[int]) -> Figures:
    """Tower and feedback on the same pictures."""
    text = normalize(torch.randn(20, JOINT, generator=torch.Generator().manual_seed(1)), dim=-1).to(setup.device)
    opened = {}
    works: dict[str, Work] = {}
    for side in sides:
        pixels = torch.rand(1, 3, side, side, device=setup.device)

        def open_picture(side: int = side, pixels: torch.Tensor = pixels) -> None:
            opened[side] = reader.open(pixels)
            opened[side].logits(text, None)

        works[f"tower {side}"] = open_picture
        works[f"feedback {side}"] = lambda side=side: opened[side].logits(text, FeedbackAttention())
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
