"""The demonstration's figures: scenes whose target is known, segmented with every host and every feedback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from feedseg.evaluation.metrics.confusion import confusion_matrix, intersection_over_union
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS, Scene, draw_scene
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary

MODEL = "mini"
# Patterns: they can be checked by eye in an image without colour, so that on the sheet colours stand for words alone.
WORDS = Vocabulary(PATTERNS, background=BACKGROUNDS)
SIZE, THINGS = (240, 320), (2, 3)  # height and width of a scene in pixels, which is a panel's size; its things
FEEDBACKS = ("none", "paper", "calibrated")


@dataclass(frozen=True, eq=False)
class Example:
    """A scene, its seed and its target, (height, width), uint8, indices into the names of `WORDS`."""

    seed: int
    scene: Scene
    target: np.ndarray


@dataclass(frozen=True, eq=False)
class HostResult:
    """What one host made of all examples with one feedback; in the order of the examples."""

    results: Sequence[Segmentation]
    confusions: Sequence[np.ndarray]

    @property
    def score(self) -> float:
        """mIoU in percent over all examples together."""
        return 100 * mean_iou_of_targets(np.sum(self.confusions, axis=0))


ByFeedback = tuple[HostResult, ...]  # of one host, in the order of `FEEDBACKS`


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: the model is so small that more of them mostly wait for each other.

    On two cores that something else kept busy, two threads took ten times as long as one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def draw_example(seed: int) -> Example:
    """A scene of the project's own generator, every thing of which is called by its pattern."""
    scene = draw_scene(seed, SIZE, THINGS)
    of_label = [0, *(WORDS.names.index(thing.pattern) for thing in scene.things)]
    return Example(seed, scene, np.array(of_label, np.uint8)[scene.labels])


def segment_all(examples: Sequence[Example], host: str, advance: Callable[[], None]) -> ByFeedback:
    """Segment all examples on the CPU, so that the figures are every machine's; `advance` is called for each result."""
    segmenter = Segmenter.load(MODEL, host=host, device="cpu")
    found: dict[str, list[Segmentation]] = {feedback: [] for feedback in FEEDBACKS}
    for example in examples:
        encoded = segmenter.encode(example.scene.image)
        for feedback, results in found.items():
            results.append(encoded.segment(WORDS, feedback=feedback))
            advance()
    return tuple(judge(examples, results) for results in found.values())


def judge(examples: Sequence[Example], results: Sequence[Segmentation]) -> HostResult:
    """Results beside their targets."""
    pairs = zip(examples, results, strict=True)
    return HostResult(results, [confusion_matrix(one.target, result.labels, len(WORDS.names)) for one, result in pairs])


def mean_iou_of_targets(confusion: np.ndarray) -> float:
    """mIoU over the classes that the target has, 0 to 1: in few scenes not every word is true."""
    return float(intersection_over_union(confusion)[confusion.sum(axis=1) > 0].mean())
