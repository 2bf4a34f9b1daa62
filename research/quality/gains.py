"""What several feedbacks gain, on scenes and on photographs: images are encoded once, and segmented with each.

Shared by calibrated.py and ideas.py. Targets are as PASCAL VOC stores them: 0 background, 1 and up the classes, 255
void; of photographs every STEP-th pixel counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from research.quality.photographs import THRESHOLDS, VOC, VOID, image_path, listed, target_of
from safetensors import safe_open

from feedseg import Segmenter, Vocabulary
from feedseg.decode.labels import label_image
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.scores import ClassScores
from feedseg.evaluation.metrics.bootstrap import ImageAreas, gain_interval, iou_interval
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.scenes import BACKGROUNDS, HELD_OUT, PATTERNS, draw_scene
from feedseg.io.images import RgbImage, read_image
from feedseg.vision.feedback.base import Feedback

STEP = 3
LOGIT_SCALE = 40.0
SCENE_SIDE = 192  # pixels
# COCO's names of VOC's classes, where they differ
COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}
Examples = list[tuple[RgbImage, np.ndarray]]
Feedbacks = Mapping[str, str | Feedback]


@dataclass(frozen=True)
class Question:
    """The words to segment with, and how the predictions are scored.

    `classes` has the class of every word, from 1 on as in the targets; 0 is one that no target has. With `background`
    the targets' 0 counts as a class, and pixels below a threshold, the one that is best on these images, become it;
    without, it is left out.
    """

    name: str
    words: tuple[str, ...]
    classes: tuple[int, ...]
    background: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(list(self.words))

    def confusions(self, target: np.ndarray, labels: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """(thresholds, classes, classes); one threshold, 0, without background."""
        pred = np.array(self.classes)[labels]
        ignored = target == VOID if self.background else (target == VOID) | (target == 0)
        target = np.where(ignored, VOID, target)
        thresholds = THRESHOLDS if self.background else np.zeros(1)
        count = max(self.classes) + 1
        return np.stack([confusion_matrix(target, np.where(confidence < t, 0, pred), count, VOID) for t in thresholds])

    def areas(self, confusions: np.ndarray) -> ImageAreas:
        """Of the classes that count: (images, classes, classes) to what mIoU is computed from."""
        first = 0 if self.background else 1
        areas = ImageAreas.of(confusions)
        return ImageAreas(areas.intersection[:, first:], areas.union[:, first:])


@dataclass(frozen=True, eq=False)
class Measured:
    """Of one host and question, by feedback: what mIoU is computed from, the best threshold, seconds an image."""

    areas: dict[str, ImageAreas]
    threshold: dict[str, float]
    seconds: dict[str, float]


def voc_question(background: bool = False) -> Question:
    """VOC's 20 names."""
    return Question("voc21" if background else "voc20", tuple(VOC), tuple(range(1, 21)), background)


def coco_question(root: Path) -> Question:
    """All names of COCO-Stuff that the folder has embeddings of, scored by VOC's classes: all others are wrong."""
    for path in sorted((root / "text").glob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            names = json.loads(file.metadata()["names"])
        if "couch" in names:
            known = [COCO_NAMES.get(name, name) for name in VOC]
            classes = tuple(known.index(name) + 1 if name in known else 0 for name in names)
            return Question(f"{len(names)} names", tuple(names), classes)
    raise SystemExit(f"{root / 'text'} has no embeddings of COCO's names")


def scenes_question() -> Question:
    """Patterns, then backgrounds."""
    names = (*PATTERNS, *BACKGROUNDS)
    return Question("patterns", names, tuple(range(1, len(names) + 1)))


def scenes(count: int, split: int) -> Examples:
    """Drawn scenes of combinations that no model was trained on, and their classes."""
    names = [*PATTERNS, *BACKGROUNDS]
    found = []
    for index in range(count):
        scene = draw_scene(np.random.default_rng((split, index)), SCENE_SIDE, (2, 4), HELD_OUT)
        classes = [names.index(name) + 1 for name in (scene.background, *(thing.pattern for thing in scene.things))]
        found.append((read_image(scene.image), np.array(classes)[scene.labels]))
    return found


def photographs(root: Path, split: str, count: int) -> Examples:
    """Photographs in PASCAL VOC's layout."""
    return [
        (read_image(image_path(root, name)), target_of(root, name)[::STEP, ::STEP].astype(np.int64))
        for name in listed(root, split)[:count]
    ]


def measure(
    segmenter: Segmenter,
    questions: Sequence[Question],
    examples: Iterable[tuple[RgbImage, np.ndarray]],
    feedbacks: Feedbacks,
) -> dict[str, Measured]:
    """Every question, by its name, with every feedback."""
    confusions = {(question.name, name): [] for question in questions for name in feedbacks}
    seconds = {(question.name, name): [] for question in questions for name in feedbacks}
    for image, target in examples:
        encoded = segmenter.encode(image)
        size = (target.shape[0], target.shape[1])
        for question in questions:
            words = question.vocabulary
            segmenter.embed(words)
            for name, feedback in feedbacks.items():
                start = time.perf_counter()
                logits = StitchedLogits.of_grid(encoded.logits(words, feedback=feedback), size)
                seconds[question.name, name].append(time.perf_counter() - start)
                scores = ClassScores(logits, words.query_to_class, len(words.names), LOGIT_SCALE, "words")
                confusions[question.name, name].append(question.confusions(target, *label_image(scores)))
    found = {}
    for question in questions:
        areas, threshold = {}, {}
        for name in feedbacks:
            by_threshold = [question.areas(each) for each in np.stack(confusions[question.name, name], axis=1)]
            best = int(np.argmax([mean_iou(each) for each in by_threshold]))
            areas[name] = by_threshold[best]
            threshold[name] = float(THRESHOLDS[best]) if question.background else 0.0
        times = {name: median(seconds[question.name, name]) for name in feedbacks}
        found[question.name] = Measured(areas, threshold, times)
    return found


def mean_iou(areas: ImageAreas) -> float:
    return float(areas.mean_iou(np.ones((1, len(areas.union))))[0])


def markdown(title: str, by_host: Mapping[str, Measured], less: tuple[str, str] | None = None) -> str:
    """mIoU of the first feedback, then what the others gain over it, with half the width of the 95 % interval.

    A gain whose interval lies above zero is bold, a loss whose interval lies below is marked with ▼. `less` adds a row:
    one feedback less another.
    """
    names = list(next(iter(by_host.values())).areas)
    lines = [f"| {title} | {' | '.join(by_host)} |", f"|---|{'---|' * len(by_host)}"]
    base = names[0]
    lines.append(row(base, [f"{100 * iou_interval(one.areas[base]).value:.1f}" for one in by_host.values()]))
    for name in names[1:]:
        lines.append(row(name, [gain(one.areas[name], one.areas[base]) for one in by_host.values()]))
    if less is not None:
        more, fewer = less
        differences = [gain(one.areas[more], one.areas[fewer]) for one in by_host.values()]
        lines.append(row(f"{more} less {fewer}", differences))
    return "\n".join(lines)


def row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def gain(areas: ImageAreas, others: ImageAreas) -> str:
    found = gain_interval(areas, others)
    text = f"{100 * found.value:+.1f} ± {50 * (found.high - found.low):.1f}"
    if found.low > 0:
        return f"**{text}**"
    return f"{text} ▼" if found.high < 0 else text
