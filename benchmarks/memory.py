"""Part of `bench.py`, and a program: the memory that a large image with many classes takes on top of the weights.

    python benchmarks/memory.py [--classes 847] [--short-side 336] [--json FILE]

CLIP ViT-B/16 with a DINO ViT-B/8 proxy at their real sizes, with random weights, feedback, and proxyclip's settings, on
a CPU, one thread. A small image is segmented and the words are embedded first, so that what every program needs is
loaded; then a random image of 4000 × 3000 pixels. Measures the memory that the process holds before, the most that it
holds beyond that while the large image is segmented, and seconds of CPU time.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Ratio, Setup
from random_models import random_segmenter, vocabulary
from timing import Memory

HEIGHT, WIDTH = 3000, 4000
CLASSES = (20, 847)
MOST_MEGABYTES = 1500  # on top of the weights


def measured(classes: int, short_side: int) -> dict[str, float]:
    """Figures by name: megabytes before, added megabytes, seconds of CPU time."""
    words = vocabulary([f"word {number}" for number in range(classes)])
    segmenter = random_segmenter()
    segmenter = replace(segmenter, settings=replace(segmenter.settings, short_side=short_side))
    random = np.random.default_rng(0)
    segmenter(random.integers(0, 256, (224, 224, 3), np.uint8), vocabulary())
    segmenter.embed(words)
    image = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    gc.collect()
    memory, start = Memory("cpu"), time.process_time()
    result = segmenter(image, words)
    seconds = time.process_time() - start
    assert result.labels.shape == (HEIGHT, WIDTH)
    return {"before_mb": memory.before / 1e6, "added_mb": memory.added / 1e6, "cpu_seconds": seconds}


def measure_memory(setup: Setup) -> Figures:
    """The figures by the number of classes, each from a fresh run of this program."""
    found = {}
    with TemporaryDirectory() as folder:
        for classes in CLASSES:
            file = Path(folder) / f"{classes}.json"
            command = [sys.executable, __file__, "--classes", f"{classes}", "--json", str(file)]
            subprocess.run(command, check=True)
            found[f"{classes}"] = json.loads(file.read_text(encoding="utf-8"))
    return found


def memory_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (classes, f"{of['before_mb']:,.0f} MB", f"{of['added_mb']:,.0f} MB", f"{of['cpu_seconds']:.1f}")
        for classes, of in found.items()
    ]
    headings = ("classes", "memory before", "added at the peak", "CPU seconds")
    return [Table("A large image with many classes", headings, rows)]


def memory_ratios(found: Figures) -> Sequence[Ratio]:
    return [
        Ratio(f"memory added, 4000 × 3000 pixels, {classes} classes", of["added_mb"], "MB", at_most=MOST_MEGABYTES)
        for classes, of in found.items()
    ]


MEMORY = Part("memory", measure_memory, memory_tables, memory_ratios, can_be_quick=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=847)
    parser.add_argument("--short-side", type=int, default=336)
    parser.add_argument("--json", type=Path, help="write the figures to this file: name -> number")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measured(options.classes, options.short_side)
    print(f"{WIDTH} × {HEIGHT} pixels, {options.classes} classes, short side {options.short_side}")
    print(f"memory before {found['before_mb']:,.0f} MB, added at the peak {found['added_mb']:,.0f} MB")
    print(f"CPU time {found['cpu_seconds']:.1f} s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
