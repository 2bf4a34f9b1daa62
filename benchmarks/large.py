"""Large images: every pixel scored by all words, strip by strip, against tiles, in turn and in one run.

    python benchmarks/large.py [--size 6000x4000] [--words 171] [--repeats 3] [--threads 1] [--json FILE]

The bundled `photo` model's logits of a photograph, enlarged to the size: from its grid (`whole`, the model's own
settings), and stitched from overlapping windows (`windows`, as CLIP towers have them). Each twice: as they are, and
`flat`, a fifth as far apart, as a CLIP's are. Strips are `Scores.best` for all rows, tiles `Scores.best_of_all`. Prints
the medians, their ratio with its spread, whether all labels are equal, the largest difference of the probabilities, and
what tiles add to the memory.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import feedseg
from feedseg import Segmenter, Settings, Vocabulary
from feedseg.decode.labels import label_image
from feedseg.decode.logits import LogitsBuffer
from feedseg.decode.scores import ClassScores, Scores
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.io.images import read_image
from timing import Memory, free_at_once, seconds

PHOTOGRAPH = Path(str(feedseg.__file__)).parent / "models/photographs/chelsea.jpg"
CASES = {"whole": Settings(window=None), "windows": Settings()}
FLAT = 0.2


class Strips(ClassScores):
    """Without tiles."""

    best_of_all = Scores.best_of_all


def words_of(count: int) -> Vocabulary:
    """The first words of a benchmark with enough of them."""
    name = "coco-stuff" if count <= 171 else "ade20k-847"
    return Vocabulary(load_benchmark(name, None).classes[:count])


def compared(case: str, flat: float, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of both, call by call, and how far the results are apart."""
    segmenter = Segmenter.load("photo", settings=CASES[case], device="cpu")
    words = words_of(options.words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # words that the model has hardly seen take as long
        encoded = segmenter.encode(read_image(PHOTOGRAPH))
        logits = [(window.logits(segmenter.embed(words), segmenter.feedback), at) for at, window in encoded.windows]
    width, height = map(int, options.size.split("x"))

    def run(kind: type[ClassScores]) -> tuple[np.ndarray, np.ndarray]:
        buffer = LogitsBuffer(encoded.size, len(logits))
        for one, at in logits:
            buffer.add(one, at)
        stitched = buffer.stitched((height, width))
        scale = segmenter.settings.logit_scale * flat
        return label_image(kind(stitched, words.query_to_class, len(words.names), scale))

    kinds = {"strips": Strips, "tiles": ClassScores}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    memory = Memory("cpu")
    found = {"tiles": run(ClassScores)}
    added = memory.added
    for _ in range(options.repeats):
        for name, kind in kinds.items():
            times[name].append(seconds(lambda name=name, kind=kind: found.update({name: run(kind)}), "cpu"))
    return {
        "seconds": times,
        "labels_differ": int((found["strips"][0] != found["tiles"][0]).sum()),
        "probabilities_differ": float(np.abs(found["strips"][1] - found["tiles"][1]).max()),
        "memory_added": added,
        "result_bytes": sum(one.nbytes for one in found["tiles"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="6000x4000", help="width x height, pixels")
    parser.add_argument("--words", type=int, default=171)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    free_at_once()
    results: dict[str, Any] = {}
    for case in options.cases:
        for name, flat in ((case, 1.0), (f"{case}, flat", FLAT)):
            one = results[name] = compared(case, flat, options)
            strips, tiles = one["seconds"]["strips"], one["seconds"]["tiles"]
            ratios = sorted(before / after for before, after in zip(strips, tiles, strict=True))
            print(
                f"{name}: strips {median(strips):.2f} s, tiles {median(tiles):.2f} s, ratio "
                f"{median(ratios):.1f} ({ratios[0]:.1f}–{ratios[-1]:.1f}); labels that differ: {one['labels_differ']}; "
                f"probabilities differ by at most {one['probabilities_differ']:.1e}; memory added "
                f"{one['memory_added'] / 1e6:.0f} MB, of which results {one['result_bytes'] / 1e6:.0f} MB"
            )
    if options.json:
        figures = {"size": options.size, "words": options.words, "threads": options.threads, "cases": results}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
