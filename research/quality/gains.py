"""What kinds of feedback gain, on scenes and on photographs: pictures opened once, every kind asked of each.

Shared by calibrated.py and feedback_ideas.py. Truths are as PASCAL VOC stores them: 0 background, 1 and up the classes,
255 void; of photographs every STEP-th pixel counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from safetensors import safe_open

from feedseg import Segmenter, Vocabulary
from feedseg.decode.labels import label_pixels
from feedseg.evaluation.metrics.bootstrap import PictureAreas, gain_interval, iou_interval
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.scenes import BACKGROUNDS, HELD_OUT, PATTERNS, draw_scene
from feedseg.io.images import Picture, read_picture
from feedseg.vision.feedback.base import Rereading
from realbench import THRESHOLDS, VOC

STEP = 3
VOID = 255
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
Examples = list[tuple[Picture, np.ndarray]]
Variants = Mapping[str, Rereading | None]


@dataclass(frozen=True)
class Question:
    """The words that pictures are asked for, and how the answers are scored.

    `classes` names the class of every word, from 1 on as in the truths; 0 is one that no truth has. With `background`
    the truths' 0 counts as a class, and pixels below a threshold, the one that is best on these pictures, become it;
    without, it is left out.
    """

    name: str
    words: tuple[str, ...]
    classes: tuple[int, ...]
    background: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(list(self.words))

    def confusions(self, truth: np.ndarray, labels: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """(thresholds, classes, classes); one threshold, 0, without background."""
        found = np.array(self.classes)[labels]
        ignored = truth == VOID if self.background else (truth == VOID) | (truth == 0)
        truth = np.where(ignored, VOID, truth)
        thresholds = THRESHOLDS if self.background else np.zeros(1)
        count = max(self.classes) + 1
        return np.stack([confusion_matrix(truth, np.where(confidence < t, 0, found), count, VOID) for t in thresholds])

    def areas(self, confusions: np.ndarray) -> PictureAreas:
        """Of the classes that count: (pictures, classes, classes) to what mIoU is made of."""
        first = 0 if self.background else 1
        areas = PictureAreas.of(confusions)
        return PictureAreas(areas.intersection[:, first:], areas.union[:, first:])


@dataclass(frozen=True, eq=False)
class Measured:
    """Of one host and question, by variant: what mIoU is made of, the best threshold, seconds a picture."""

    areas: dict[str, PictureAreas]
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
        found.append((read_picture(scene.picture), np.array(classes)[scene.labels]))
    return found


def photographs(root: Path, split: str, count: int) -> Examples:
    """Photographs in PASCAL VOC's layout."""
    folder = root / "VOC2012"
    names = (folder / f"ImageSets/Segmentation/{split}.txt").read_text().split()[:count]
    found = []
    for name in names:
        truth = np.array(Image.open(folder / f"SegmentationClass/{name}.png"))
        found.append((read_picture(folder / f"JPEGImages/{name}.jpg"), truth[::STEP, ::STEP].astype(np.int64)))
    return found


def measure(
    segmenter: Segmenter, questions: Sequence[Question], examples: Iterable[tuple[Picture, np.ndarray]], kinds: Variants
) -> dict[str, Measured]:
    """Every question, by its name, answered by every kind of feedback."""
    confusions = {(question.name, kind): [] for question in questions for kind in kinds}
    seconds = {(question.name, kind): [] for question in questions for kind in kinds}
    for picture, truth in examples:
        opened = segmenter.open(picture)
        size = (truth.shape[0], truth.shape[1])
        for question in questions:
            words = question.vocabulary
            segmenter.embed(words)
            for kind, feedback in kinds.items():
                segmenter.feedback = feedback
                start = time.perf_counter()
                logits = opened.logits(words)
                seconds[question.name, kind].append(time.perf_counter() - start)
                answer = label_pixels(logits, size, words.query_to_class, len(words.names), 40.0)
                confusions[question.name, kind].append(question.confusions(truth, *answer))
    found = {}
    for question in questions:
        areas, threshold = {}, {}
        for kind in kinds:
            by_threshold = [question.areas(each) for each in np.stack(confusions[question.name, kind], axis=1)]
            best = int(np.argmax([mean_iou(each) for each in by_threshold]))
            areas[kind] = by_threshold[best]
            threshold[kind] = float(THRESHOLDS[best]) if question.background else 0.0
        times = {kind: median(seconds[question.name, kind]) for kind in kinds}
        found[question.name] = Measured(areas, threshold, times)
    return found


def mean_iou(areas: PictureAreas) -> float:
    return float(areas.mean_iou(np.ones((1, len(areas.union))))[0])


def markdown(title: str, by_host: Mapping[str, Measured], less: tuple[str, str] | None = None) -> str:
    """mIoU of the first variant, then what the others gain over it, with half the width of the 95 % interval.

    A gain whose interval lies above zero is bold, a loss whose interval lies below is marked with ▼. `less` adds a row:
    one variant less another.
    """
    kinds = list(next(iter(by_host.values())).areas)
    lines = [f"| {title} | {' | '.join(by_host)} |", f"|---|{'---|' * len(by_host)}"]
    base = kinds[0]
    lines.append(row(base, [f"{100 * iou_interval(one.areas[base]).value:.1f}" for one in by_host.values()]))
    for kind in kinds[1:]:
        lines.append(row(kind, [gain(one.areas[kind], one.areas[base]) for one in by_host.values()]))
    if less is not None:
        more, fewer = less
        differences = [gain(one.areas[more], one.areas[fewer]) for one in by_host.values()]
        lines.append(row(f"{more} less {fewer}", differences))
    return "\n".join(lines)


def row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def gain(areas: PictureAreas, others: PictureAreas) -> str:
    found = gain_interval(areas, others)
    text = f"{100 * found.value:+.1f} ± {50 * (found.high - found.low):.1f}"
    if found.low > 0:
        return f"**{text}**"
    return f"{text} ▼" if found.high < 0 else text
