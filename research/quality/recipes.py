"""Hosts × feedbacks × refiners: mIoU, seconds and memory, on photographs and on drawn scenes, as one table.

    python -m research.quality.recipes [--photographs 40] [--scenes 40] [--hosts …] [--root ../shared/realbench]

Photographs are those of the development split, asked for VOC's 20 names; scenes are of the split that ideas are tried
on. Every host runs in a process of its own, whose largest memory is what is told. Seconds are CPU time of an image,
its encoding in them, the median: without a refiner, with all three, and with the second view too. A host's rows are
printed when they are measured.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import torch
from research.quality.gains import Examples, Question, mean_iou, row, scenes, scenes_question, voc_question
from research.quality.ideas import SCENES_SPLIT
from research.quality.photographs import image_path, listed, need, target_of

from feedseg import Segmenter
from feedseg.evaluation.metrics.bootstrap import ImageAreas
from feedseg.io.images import read_image
from feedseg.presets import PRESETS

BEST = PRESETS["best"].refiners
SECOND_VIEW = "all, second view"
SHARE = PRESETS["best"].second_view or 1.0
REFINERS = {
    "": (),
    "class token": BEST[:1],
    "propagate": BEST[1:2],
    "edges": BEST[2:],
    "all three": BEST,
    SECOND_VIEW: BEST,
    "prune words": ("prune-words",),
    "FreeCP": ("free-cp",),
    "region vote": ("region-vote",),
}
FEEDBACKS = ("none", "paper", "calibrated")
HOSTS = ("proxyclip", "naclip", "gem", "pearl", "clip", "maskclip")


@dataclass(frozen=True)
class Job:
    """A host on a bench, and where that is."""

    bench: str  # "photographs" or "scenes"
    host: str
    root: Path
    count: int


@dataclass(frozen=True, eq=False)
class Found:
    """By feedback and refiner; memory is the process's."""

    areas: Mapping[tuple[str, str], ImageAreas]
    seconds: Mapping[tuple[str, str], float]
    megabytes: float


def examples(job: Job) -> tuple[Examples, Question, str | Path]:
    """Images with targets, what they are asked for, and the model."""
    if job.bench == "scenes":
        return scenes(job.count, SCENES_SPLIT), scenes_question(), "mini"
    names = listed(job.root, "val")[: job.count]
    pairs = [(read_image(image_path(job.root, name)), target_of(job.root, name).astype(np.int64)) for name in names]
    return pairs, voc_question(), job.root


def measured(job: Job) -> Found:
    """One host with every feedback and refiner."""
    torch.set_num_threads(1)
    images, question, model = examples(job)
    segmenter = Segmenter.load(model, host=job.host, proxy="self" if job.host == "proxyclip" else None)
    words = question.vocabulary
    cells = [(feedback, refiner) for feedback in FEEDBACKS for refiner in REFINERS]
    confusions, seconds = ({cell: [] for cell in cells} for _ in range(2))
    for image, target in images:
        start = time.process_time()
        encoded = segmenter.encode(image)
        encoding = time.process_time() - start
        for feedback, refiner in cells:
            start = time.process_time()
            views = encoded.with_second_view(SHARE) if refiner == SECOND_VIEW else encoded
            found = views.segment(words, feedback=feedback, refiners=REFINERS[refiner])
            seconds[feedback, refiner].append(encoding + time.process_time() - start)
            confusions[feedback, refiner].append(question.confusions(target, found.labels, found.confidence)[0])
    areas = {cell: question.areas(np.stack(each)) for cell, each in confusions.items()}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Found(areas, {cell: median(each) for cell, each in seconds.items()}, memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--hosts", nargs="+", default=HOSTS)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    options = parser.parse_args()
    for bench, count in (("photographs", options.photographs), ("scenes", options.scenes)):
        if not count:
            continue
        if bench == "photographs":
            need(options.root)
        print(row(f"{count} {bench}", ["feedback", *(name or "no refiner" for name in REFINERS), "s", "MB"]))
        print(f"|---|{'---|' * (len(REFINERS) + 3)}")
        for host in options.hosts:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found = pool.submit(measured, Job(bench, host, options.root, count)).result()
            for feedback in FEEDBACKS:
                miou = [f"{100 * mean_iou(found.areas[feedback, refiner]):.1f}" for refiner in REFINERS]
                times = [found.seconds[feedback, refiner] for refiner in ("", "all three", SECOND_VIEW)]
                took = " to ".join(f"{each:.3g}" for each in times)
                print(row(f"`{host}`", [feedback, *miou, took, f"{found.megabytes:.0f}"]), flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
