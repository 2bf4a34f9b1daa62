"""What a preset gains over each feedback by itself, on photographs asked three questions, and on drawn scenes.

    python -m research.quality.preset [--split train] [--count 211] [--scenes 0] [--preset best] [--root …]

Questions: VOC's 20 names with the background ignored; the same with the background, at the threshold that is best for
each variant on these photographs; all names of COCO-Stuff that the folder has embeddings of, scored by VOC's classes.
Every third pixel counts. In brackets paired 95 % intervals over the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from research.quality.gains import (
    STEP,
    Question,
    coco_question,
    mean_iou,
    photographs,
    row,
    scenes,
    scenes_question,
    voc_question,
)
from research.quality.photographs import THRESHOLDS, need

from feedseg import Segmenter
from feedseg.evaluation.metrics.bootstrap import ImageAreas, gain_interval
from feedseg.io.images import RgbImage
from feedseg.presets import PRESETS, known_preset
from feedseg.vision.feedback.controls import HostTwice

ANOTHER_SPLIT = 13  # of scenes: nothing is chosen on it
Variant = tuple[Any, tuple[Any, ...], float | None]  # a feedback, refiners, and a second view


def measured(
    segmenter: Segmenter,
    questions: Sequence[Question],
    examples: Iterable[tuple[RgbImage, np.ndarray]],
    variants: Mapping[str, Variant],
    step: int,
) -> dict[str, dict[str, tuple[ImageAreas, float]]]:
    """By question and variant: what mIoU is computed from, and the best threshold."""
    confusions = {(question.name, name): [] for question in questions for name in variants}
    for image, target in examples:
        encoded = segmenter.encode(image)
        shares = {share for _, _, share in variants.values()}
        views = {share: encoded if share is None else encoded.with_second_view(share) for share in shares}
        for question in questions:
            for name, (feedback, refiners, share) in variants.items():
                result = views[share].segment(question.vocabulary, feedback=feedback, refiners=refiners)
                seen = (result.labels[::step, ::step], result.confidence[::step, ::step])
                confusions[question.name, name].append(question.confusions(target, *seen))
    found: dict[str, dict[str, tuple[ImageAreas, float]]] = {}
    for question in questions:
        for name in variants:
            areas = [question.areas(each) for each in np.stack(confusions[question.name, name], axis=1)]
            best = int(np.argmax([mean_iou(each) for each in areas]))
            found.setdefault(question.name, {})[name] = areas[best], float(THRESHOLDS[best])
    return found


def table(title: str, found: Mapping[str, tuple[ImageAreas, float]], last: str, threshold: bool) -> str:
    """mIoU of every variant, and what the last one has more."""
    lines = [row(title, ["mIoU", f"`{last}` less it"]), "|---|---|---|"]
    for name, (areas, bound) in found.items():
        cells = [f"{100 * mean_iou(areas):.1f}" + (f" (at {bound:.3f})" if threshold else ""), ""]
        if name != last:
            gain = gain_interval(found[last][0], areas)
            cells[1] = f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
        lines.append(row(name, cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", default="train", help="train or val")
    parser.add_argument("--count", type=int, default=211, help="photographs")
    parser.add_argument("--scenes", type=int, default=0)
    parser.add_argument("--preset", default="best", choices=list(PRESETS))
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    preset = known_preset(options.preset)
    variants: dict[str, Variant] = {
        "no feedback": ("none", (), None),
        "the paper's": ("paper", (), None),
        "calibrated": ("calibrated", (), None),
        "control: the host's attention twice": (HostTwice(), (), None),
        **({f"{options.preset}, one view": (preset.feedback, preset.refiners, None)} if preset.second_view else {}),
        options.preset: (preset.feedback, preset.refiners, preset.second_view),
    }
    if options.count:
        need(options.root)
        segmenter = Segmenter.load(options.root, host=preset.host)
        questions = [voc_question(), voc_question(background=True), coco_question(options.root)]
        examples = photographs(options.root, options.split, options.count)
        for name, found in measured(segmenter, questions, examples, variants, STEP).items():
            print(table(f"{len(examples)} photographs, {name}", found, options.preset, name == "voc21"), end="\n\n")
    if options.scenes:
        segmenter = Segmenter.load("mini", host=preset.host)
        examples = scenes(options.scenes, ANOTHER_SPLIT)
        for found in measured(segmenter, [scenes_question()], examples, variants, 1).values():
            print(table(f"{len(examples)} scenes, `mini`", found, options.preset, False))


if __name__ == "__main__":
    main()
