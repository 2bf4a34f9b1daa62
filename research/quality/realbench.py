"""mIoU of every host with and without feedback on real photographs with real, text-aligned DINOv2 weights.

    python benchmarks/realbench.py [--root ../shared/realbench] [--split val] [--hosts clip maskclip …] [--calm]

The folder holds a manifest (`feedseg.json`) and photographs with masks in PASCAL VOC's layout. Prints, per host: mIoU
of the voc20 protocol (background and void ignored), and of voc21 with the threshold that is best on these photographs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from feedseg import FeedbackAttention, Segmenter, Vocabulary
from feedseg.evaluation.metrics.confusion import confusion_matrix, mean_iou
from feedseg.vision.hosts.attention import HOSTS
from feedseg.vision.model import open_model

VOC = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
THRESHOLDS = np.arange(0.0, 0.96, 0.025)
PAPER = FeedbackAttention()
CALM = FeedbackAttention(scale=7.0, isolation=12.25, keep=0.34, sharpness=3.5)


def evaluate(segmenter: Segmenter, root: Path, photographs: list[str]) -> tuple[float, float, float]:
    """mIoU by voc20, by voc21 at its best threshold, and that threshold."""
    vocabulary = Vocabulary(VOC)
    without_background = np.zeros((20, 20), np.int64)
    # pixels by truth, label and the number of thresholds that their confidence reaches
    counts = np.zeros((21, 20, len(THRESHOLDS) + 1), np.int64)
    for name in photographs:
        truth = np.array(Image.open(root / "VOC2012/SegmentationClass" / f"{name}.png"))
        result = segmenter(root / "VOC2012/JPEGImages" / f"{name}.jpg", vocabulary)
        objects = np.where((truth == 0) | (truth == 255), 255, truth - 1)
        without_background += confusion_matrix(objects, result.labels, 20)
        known = truth != 255
        reached = np.searchsorted(THRESHOLDS, result.confidence[known], side="right")
        cell = np.ravel_multi_index((truth[known], result.labels[known], reached), counts.shape)
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
    parser.add_argument("--hosts", nargs="+", choices=list(HOSTS), default=list(HOSTS))
    parser.add_argument("--calm", action="store_true", help="also feedback with calmer scales (7, 12.25, 0.34, 3.5)")
    parser.add_argument("--class-token", action="store_true", help="let the hosts see the class token")
    arguments = parser.parse_args()
    if not (arguments.root / "feedseg.json").is_file():
        raise SystemExit(f"{arguments.root} is not there: this benchmark needs its photographs and weights")
    photographs = (arguments.root / f"VOC2012/ImageSets/Segmentation/{arguments.split}.txt").read_text().split()
    kinds = {"none": None, "paper": PAPER} | ({"calm": CALM} if arguments.calm else {})
    console = Console()
    table = Table("host", "feedback", "voc20", "voc21", "threshold", "s / picture")
    model = open_model(arguments.root)
    jobs = [(host, kind) for host in arguments.hosts for kind in kinds]
    for host, kind in track(jobs, console=console, description="hosts", disable=not console.is_terminal):
        segmenter = Segmenter.load(
            model, host=host, feedback=kinds[kind] or False, class_token=arguments.class_token or None
        )
        start = time.perf_counter()
        voc20, voc21, threshold = evaluate(segmenter, arguments.root, photographs)
        seconds = (time.perf_counter() - start) / len(photographs)
        table.add_row(host, kind, f"{100 * voc20:.1f}", f"{100 * voc21:.1f}", f"{threshold:.3f}", f"{seconds:.2f}")
    console.print(f"{len(photographs)} photographs of {arguments.split}.txt")
    console.print(table)


if __name__ == "__main__":
    main()
