"""The evidence for the calibrated feedback: every host, against no feedback, the paper's, and the controls.

    python -m research.quality.calibrated PART … [--root ../shared/realbench] [--hosts …] [--limit N] [--model mini]

Parts: `val`, 100 photographs at 336 pixels, asked for VOC's 20 names without and with background (voc21, at each
variant's best threshold on these pictures) and for 171 names; `small` and `large`, the same at 168 pixels and, 20 of
them for three hosts, at 672; `train`, 211 further photographs whose class names the alignment saw; `scenes`, 500 drawn
scenes for `--model`; `crowded`, 200 on a smaller grid of patches. Prints mIoU and gains in points with half the width
of the paired 95 % bootstrap interval, and the time of feedback and projection (median; the tower is not in it).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from research.quality.gains import (
    Question,
    coco_question,
    markdown,
    measure,
    photographs,
    scenes,
    scenes_question,
    voc_question,
)
from research.quality.photographs import need

from feedseg import Segmenter
from feedseg.settings import WHOLE_IMAGE
from feedseg.vision.feedback.controls import CONTROLS
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import Model

SCENES_SPLIT = 1  # nothing was tuned on scenes drawn from it
COMPARED = ("none", "paper", "calibrated")
FEEDBACKS = {name: name for name in COMPARED} | CONTROLS
ALL_HOSTS = ("clip", "maskclip", "sclip", "clearclip", "naclip", "proxyclip")


@dataclass(frozen=True)
class Part:
    """Images: how many, from which split, how large; `hosts` where not all."""

    count: int
    split: str = ""
    short_side: int | None = None
    hosts: tuple[str, ...] = ALL_HOSTS


PARTS = {
    "val": Part(100, "val"),
    "train": Part(211, "train"),
    "small": Part(100, "val", 168),
    "large": Part(20, "val", 672, ("maskclip", "clearclip", "proxyclip")),
    "scenes": Part(500),
    "crowded": Part(200, short_side=80),
}


def run(name: str, part: Part, model: str | Model, root: Path) -> None:
    """Measure one part and print its tables."""
    questions: list[Question] = [scenes_question()]
    examples = scenes(part.count, SCENES_SPLIT) if not part.split else photographs(root, part.split, part.count)
    if part.split:
        questions = [voc_question(), voc_question(background=True)]
        questions += [coco_question(root)] if name == "val" else []
    found = {}
    for host in part.hosts:
        segmenter = Segmenter.load(model, host=host, proxy="self" if host == "proxyclip" else None)
        if part.short_side is not None:
            usual = WHOLE_IMAGE if part.split else segmenter.settings
            segmenter = replace(segmenter, settings=replace(usual, short_side=part.short_side))
        found[host] = measure(segmenter, questions, examples, FEEDBACKS)
    for question in questions:
        by_host = {host: one[question.name] for host, one in found.items()}
        title = f"{name}, {len(examples)} images, {question.name}"
        print(markdown(title, by_host, less=("calibrated", "paper")), end="\n\n")
        if question.background:
            for feedback in COMPARED:
                found_best = (f"{host} {one.threshold[feedback]:.3f}" for host, one in by_host.items())
                print(f"threshold, {feedback}:", ", ".join(found_best))
        for feedback in COMPARED:
            times = ", ".join(f"{host} {1000 * one.seconds[feedback]:.0f}" for host, one in by_host.items())
            print(f"ms an image, {feedback}: {times}")
        print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=list(PARTS), metavar="PART")
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    parser.add_argument("--hosts", nargs="+", choices=HOSTS.names())
    parser.add_argument("--limit", type=int, help="images of each part")
    parser.add_argument("--model", default="mini", help="of the scenes")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.parts:
        part = PARTS[name]
        if options.hosts:
            part = replace(part, hosts=tuple(options.hosts))
        if options.limit:
            part = replace(part, count=options.limit)
        if part.split:
            need(options.root)
        run(name, part, Segmenter.load(options.root).model if part.split else options.model, options.root)


if __name__ == "__main__":
    main()
