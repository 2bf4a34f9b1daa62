"""The memory that a whole image takes, measured and as estimated.

    python benchmarks/needed.py [--short-sides 672 1008] [--hosts proxyclip gem …]

The bundled `photo`, a square of noise as one window, four words, calibrated feedback, one thread; each host and size in
a process of its own. Prints the memory added at its peak, the estimate of `feedseg.vision.memory`, and their ratio.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import torch

from feedseg import Segmenter
from feedseg.vision.hosts import HOSTS
from feedseg.vision.memory import window_bytes
from timing import Memory

WORDS = "dog, cat, grass, sky"


def measured(host: str, side: int) -> tuple[float, float]:
    """Bytes added at the peak, and estimated."""
    torch.set_num_threads(1)
    segmenter = Segmenter.load("photo", host=host, feedback="calibrated", device="cpu")
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    replace(segmenter, settings=replace(segmenter.settings, short_side=98))(image, WORDS)
    gc.collect()
    memory = Memory("cpu")
    large = replace(segmenter, settings=replace(segmenter.settings, short_side=side))
    large(image, WORDS)
    tower = segmenter.encoder.tower
    patches = round(side / tower.patch_size) ** 2
    return memory.added, window_bytes(patches, tower.width, tower.heads, segmenter.encoder.host)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short-sides", type=int, nargs="+", default=[672, 1008])
    parser.add_argument("--hosts", nargs="+", default=HOSTS.names(), choices=HOSTS.names())
    parser.add_argument("--one", action="store_true", help="measure the one host and size here, and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.hosts[0], options.short_sides[0])))
        return
    print(f"{'host':10} {'side':>5} {'added MB':>9} {'estimate':>9} {'ratio':>6}")
    for host in options.hosts:
        for side in options.short_sides:
            command = [sys.executable, __file__, "--one", "--hosts", host, "--short-sides", str(side)]
            added, estimate = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            print(f"{host:10} {side:5} {added / 1e6:9.0f} {estimate / 1e6:9.0f} {estimate / added:6.2f}", flush=True)


if __name__ == "__main__":
    main()
