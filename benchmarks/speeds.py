"""What `--speed fast` and `--speed fastest` save: an image by each speed, in turn and in one run.

    python benchmarks/speeds.py [--tower ViT-B/16] [--repeats 3] [--threads 1]

Random weights of the real sizes, DINO ViT-B/8 as the proxy, host proxyclip, 20 words whose embeddings are ready, an
image of 336 × 448 pixels, from the pixels to the labels, with feedback. Prints a Markdown table: the windows that the
image is cut into, the patches of the host's grid in all of them, medians of CPU seconds with their spread, and how many
times less a speed takes than `protocol`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from feedseg.evaluation.report.tables import Table
from feedseg.loading import at_speed
from feedseg.settings import SPEEDS
from random_models import TOWERS, random_segmenter, vocabulary

SIZE = (336, 448)  # height, width


@dataclass(frozen=True)
class Spent:
    """What an image takes by one speed."""

    speed: str
    windows: int
    patches: int
    seconds: tuple[float, ...]  # of CPU time, call by call

    @property
    def median(self) -> float:
        return median(self.seconds)


def measure(tower: str, repeats: int, tiny: bool = False) -> list[Spent]:
    """Every speed, in turn; the first call of each is not counted. `tiny` is for tests."""
    segmenter, words = random_segmenter(tower, tiny=tiny), vocabulary()
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    segmenters = {speed: at_speed(segmenter, speed) for speed in SPEEDS}
    segmenter.embed(words)
    times: dict[str, list[float]] = {speed: [] for speed in SPEEDS}
    for repeat in range(repeats + 1):
        for speed, one in segmenters.items():
            start = time.process_time()
            one(image, words)
            if repeat:
                times[speed].append(time.process_time() - start)
    found = []
    for speed, one in segmenters.items():
        windows = [window for _, window in one.encode(image).windows]
        patches = sum(window.grid[0] * window.grid[1] for window in windows)
        found.append(Spent(speed, len(windows), patches, tuple(times[speed])))
    return found


def table(found: Sequence[Spent]) -> Table:
    """One row a speed."""
    first = found[0].median
    rows = [
        (
            one.speed,
            f"{one.windows}",
            f"{one.patches:,}",
            f"{one.median:.2f} ({min(one.seconds):.2f}–{max(one.seconds):.2f})",
            f"{first / one.median:.1f}",
        )
        for one in found
    ]
    return Table("An image by each speed", ("speed", "windows", "patches", "CPU seconds", "times faster"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tower", choices=TOWERS, default="ViT-B/16")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(table(measure(options.tower, options.repeats)).markdown())


if __name__ == "__main__":
    main()
