"""The memory that a large picture with many classes takes, on top of the weights.

    python benchmarks/memory.py [--classes 847] [--short-side 336] [--json FILE]
    for classes in 20 171 847; do python benchmarks/memory.py --classes $classes; done

CLIP ViT-B/16 with a DINO ViT-B/8 proxy at their real sizes, with random weights, feedback, and proxyclip's settings, on
a CPU. A small picture is segmented first, so that what every program takes is there already; then a random one of
4000 × 3000 pixels. Prints the memory that the process holds before, the most that it holds beyond it while the large
picture is segmented, tower and result included, and seconds of CPU time. Linux with glibc only: it reads /proc.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from feedseg import Vocabulary
from random_models import random_segmenter

HEIGHT, WIDTH = 3000, 4000


def megabytes(field: str) -> float:
    """Of this process, "VmRSS", what it holds, or "VmHWM", the most that it has held since it was told to forget."""
    match = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if match is None:
        raise SystemExit(f"/proc/self/status has no {field}")
    return int(match[1]) * 1024 / 1e6


def forget_peak() -> None:
    """Let "VmHWM" begin anew, as `man proc_pid_clear_refs` has it."""
    Path("/proc/self/clear_refs").write_text("5")


def give_back() -> None:
    """Let what is freed but still held go, so that the large picture cannot live in it unseen."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)


def measure(classes: int, short_side: int) -> dict[str, float]:
    """Figures by name: megabytes before, added megabytes, seconds of CPU time."""
    words = [f"word {number}" for number in range(classes)]
    segmenter = random_segmenter(feedback=True, words=words)
    segmenter.settings = replace(segmenter.settings, short_side=short_side)
    random = np.random.default_rng(0)
    segmenter(random.integers(0, 256, (224, 224, 3), np.uint8), Vocabulary(words[:2]))
    picture = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    give_back()
    forget_peak()
    before, start = megabytes("VmRSS"), time.process_time()
    result = segmenter(picture, Vocabulary(words))
    seconds = time.process_time() - start
    assert result.labels.shape == (HEIGHT, WIDTH)
    return {"before_mb": before, "added_mb": megabytes("VmHWM") - before, "cpu_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=847)
    parser.add_argument("--short-side", type=int, default=336)
    parser.add_argument("--json", type=Path, help="write the figures to this file: name -> number")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(options.classes, options.short_side)
    print(f"{WIDTH} × {HEIGHT} pixels, {options.classes} classes, short side {options.short_side}")
    print(f"memory before {found['before_mb']:,.0f} MB, added at the peak {found['added_mb']:,.0f} MB")
    print(f"CPU time {found['cpu_seconds']:.1f} s")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
