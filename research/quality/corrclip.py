"""The host corrclip piece by piece against proxyclip: where its regions come from, and its two further readings.

    python -m research.quality.corrclip [--photographs 50] [--scenes 100] [--root ../shared/realbench]

Photographs are every second one of the development split, asked for VOC's 20 names; scenes are of the split that ideas
are tried on. Prints mIoU without feedback and with the calibrated, with its difference to proxyclip's and the paired
95 % interval, and the median of the processor's seconds for encoding an image, which other programs do not change.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import numpy as np
import torch
from research.quality.gains import (
    Examples,
    Question,
    gain,
    mean_iou,
    photographs,
    row,
    scenes,
    scenes_question,
    voc_question,
)
from research.quality.ideas import SCENES_SPLIT
from research.quality.photographs import need

from feedseg import Segmenter
from feedseg.decode.refiners.region_vote import superpixels
from feedseg.evaluation.metrics.bootstrap import ImageAreas
from feedseg.vision.hosts.base import Host
from feedseg.vision.hosts.corrclip import CorrClip

FEEDBACKS = ("none", "calibrated")


def nowhere(pixels: np.ndarray) -> np.ndarray:
    """No region anywhere."""
    return np.full(pixels.shape[:2], -1)


HOSTS: Mapping[str, tuple[str | Host, bool | None]] = {  # and whether the class token is used
    "`proxyclip`": ("proxyclip", None),
    "`corrclip`": ("corrclip", None),
    "no regions": (CorrClip(regions=nowhere), None),
    "superpixels": (CorrClip(regions=superpixels), None),
    "with the middle blocks": (CorrClip(middle_weight=1.0), None),
    "without the middle blocks": (CorrClip(middle_weight=0.0), None),
    "with the regions' class tokens": ("corrclip", True),
    "without the regions' class tokens": ("corrclip", False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=50)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.scenes:
        table(f"{options.scenes} scenes", "mini", scenes(options.scenes, SCENES_SPLIT), scenes_question())
    if options.photographs:
        need(options.root)
        images = photographs(options.root, "val", 2 * options.photographs)[::2]
        table(f"{len(images)} photographs", options.root, images, voc_question())


def table(title: str, model: str | Path, images: Examples, question: Question) -> None:
    """Print a line for each of the hosts."""
    print(row(title, [*FEEDBACKS, "s"]))
    print("|---|---|---|---|")
    loaded = Segmenter.load(model).model
    usual: dict[str, ImageAreas] = {}
    for name, (host, class_token) in HOSTS.items():
        segmenter = Segmenter.load(loaded, host=host, proxy="self", class_token=class_token)
        found, seconds = measured(segmenter, images, question)
        usual = usual or found
        cells = [f"{100 * mean_iou(found[each]):.1f}, {gain(found[each], usual[each])}" for each in FEEDBACKS]
        print(row(name, [*cells, f"{seconds:.3f}"]), flush=True)
    print(flush=True)


def measured(segmenter: Segmenter, images: Examples, question: Question) -> tuple[dict[str, ImageAreas], float]:
    """By feedback what mIoU is computed from, and the seconds of encoding."""
    words = question.vocabulary
    confusions: dict[str, list[np.ndarray]] = {each: [] for each in FEEDBACKS}
    seconds = []
    for image, target in images:
        start = time.process_time()
        encoded = segmenter.encode(image)
        seconds.append(time.process_time() - start)
        step = round(image.size[0] / target.shape[0])  # photographs' targets have every third pixel
        for each in FEEDBACKS:
            result = encoded.segment(words, feedback=each)
            labels, confidence = (pixels[::step, ::step] for pixels in (result.labels, result.confidence))
            confusions[each].append(question.confusions(target, labels, confidence)[0])
    return {each: question.areas(np.stack(found)) for each, found in confusions.items()}, median(seconds)


if __name__ == "__main__":
    main()
