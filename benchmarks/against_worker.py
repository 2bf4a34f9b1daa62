"""The process that `against.py` starts for one checkout and one case; imports nothing beside feedseg's public names.

It loads the segmenter, warms up, prints "ready", and answers each line of its input with one line of JSON: "time WORK"
with seconds, "memory" with bytes, "labels FILE" by saving the labels there.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import feedseg

WORDS = [f"word {number}" for number in range(20)]
PATTERNS = ["plain", "striped", "dotted", "checked", "zigzag", "scaly", "marbled", "netted"]


def works_of(case: Path, feedback: str) -> dict[str, Callable[[], Any]]:
    """What is timed, by name, with the oldest public API that both checkouts have."""
    image = np.load(case / "image.npy")
    if (case / "clip").is_dir():
        segmenter: Any = feedseg.Segmenter.load(
            case / "clip", host="proxyclip", proxy=case / "proxy", feedback=feedback, device="cpu"
        )
        words = feedseg.Vocabulary(WORDS, templates=["{}"])
    elif (case / "words.txt").is_file():
        segmenter = feedseg.Segmenter.load("photo", feedback=feedback, device="cpu")
        words = feedseg.Vocabulary((case / "words.txt").read_text().splitlines())
    else:
        segmenter = feedseg.Segmenter.load("mini", feedback=feedback, device="cpu")
        words = feedseg.Vocabulary(PATTERNS)
    encode = segmenter.encode if hasattr(segmenter, "encode") else segmenter.open
    encoded = encode(image)
    return {
        "image": lambda: segmenter(image, words),
        "encode": lambda: encode(image),
        "words": lambda: encoded.segment(words),
    }


def peak_bytes() -> int:
    """The most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.is_file():  # since it was told to forget; ru_maxrss would count what the parent held before exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds the package feedseg")
    parser.add_argument("case", type=Path)
    parser.add_argument("--feedback", default="paper")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    imported = Path(feedseg.__file__).resolve()
    if not imported.is_relative_to(options.source.resolve()):
        raise SystemExit(f"feedseg was imported from {imported.parent}, not from {options.source}")
    warnings.simplefilter("ignore")  # old names that are deprecated
    torch.set_num_threads(options.threads)
    works = works_of(options.case, options.feedback)
    labels = works["image"]().labels
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what, _, argument = line.strip().partition(" ")
        answer: Any = None
        if what == "time":
            start = time.perf_counter()
            works[argument]()
            answer = time.perf_counter() - start
        elif what == "memory":
            answer = peak_bytes()
        elif what == "labels":
            np.save(argument, labels)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
