"""mIoU of every host with and without feedback on real photographs with real, text-aligned DINOv2 weights.

    python -m research.quality.realbench [--root ../shared/realbench] [--split val] [--hosts clip maskclip …] [--softer]

The folder holds a manifest (`feedseg.json`) and photographs with masks in PASCAL VOC's layout. Prints, per host: mIoU
of the voc20 protocol (background and void ignored), and of voc21 with the threshold that is best on these photographs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from research.quality.calibrated import ALL_HOSTS
from research.quality.photographs import THRESHOLDS, VOC, image_path, listed, need, target_of
from rich.console import Console
from rich.progress import track
from rich.table import Table

from feedseg import FSAFeedback, Segmenter, Vocabulary
from feedseg.evaluation.metrics.confusion import confusion_matrix, mean_iou
from feedseg.vision.feedback.base import Feedback
from feedseg.vision.hosts import HOSTS

SOFTER = FSAFeedback(scale=7.0, isolation=12.25, keep=0.34, sharpness=3.5)


def evaluate(
    segmenter: Segmenter, feedback: str | Feedback, root: Path, photographs: list[str]
) -> tuple[float, float, float]:
    """mIoU by voc20, by voc21 at its best threshold, and that threshold."""
    vocabulary = Vocabulary(VOC)
    without_background = np.zeros((20, 20), np.int64)
    # pixels by target, prediction and the number of thresholds that their confidence reaches
    counts = np.zeros((21, 20, len(THRESHOLDS) + 1), np.int64)
    for name in photographs:
        target = target_of(root, name)
        result = segmenter(image_path(root, name), vocabulary, feedback=feedback)
        objects = np.where((target == 0) | (target == 255), 255, target - 1)
        without_background += confusion_matrix(objects, result.labels, 20)
        known = target != 255
        reached = np.searchsorted(THRESHOLDS, result.confidence[known], side="right")
        cell = np.ravel_multi_index((target[known], result.labels[known], reached), counts.shape)
        counts += np.bincount(cell, minlength=counts.size).reshape(counts.shape)
    by_threshold = []
    for index in range(len(THRESHOLDS)):
        confusion = np.zeros((21, 21), np.int64)
        confusion[:, 1:] = counts[:, :, index + 1 :].sum(axis=-1)
        confusion[:, 0] = counts[:, :, : index + 1].sum(axis=(1, 2))
        by_threshold.append(mean_iou(confusion))
    best = int(np.argmax(by_threshold))
    return mean_iou(without_background), by_threshold[best], float(THRESHOLDS[best])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    parser.add_argument("--split", default="val", help="train or val")
    parser.add_argument("--limit", type=int, help="photographs")
    parser.add_argument("--hosts", nargs="+", choices=HOSTS.names(), default=ALL_HOSTS)
    parser.add_argument("--softer", action="store_true", help="also feedback with 7, 12.25, 0.34, 3.5")
    parser.add_argument("--class-token", action="store_true", help="let the hosts use the class token")
    options = parser.parse_args()
    need(options.root)
    photographs = listed(options.root, options.split)[: options.limit]
    feedbacks: dict[str, str | Feedback] = {"none": "none", "paper": "paper"}
    if options.softer:
        feedbacks["softer"] = SOFTER
    console = Console()
    table = Table("host", "feedback", "voc20", "voc21", "threshold", "s / image")
    model = Segmenter.load(options.root).model
    jobs = [(host, name) for host in options.hosts for name in feedbacks]
    for host, name in track(jobs, console=console, description="hosts", disable=not console.is_terminal):
        segmenter = Segmenter.load(model, host=host, class_token=options.class_token or None)
        start = time.perf_counter()
        voc20, voc21, threshold = evaluate(segmenter, feedbacks[name], options.root, photographs)
        seconds = (time.perf_counter() - start) / len(photographs)
        table.add_row(host, name, f"{100 * voc20:.1f}", f"{100 * voc21:.1f}", f"{threshold:.3f}", f"{seconds:.2f}")
    console.print(f"{len(photographs)} photographs of {options.split}.txt")
    console.print(table)


if __name__ == "__main__":
    main()
