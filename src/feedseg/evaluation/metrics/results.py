"""What the measured images come to: metrics, intervals, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from feedseg.engine.outcomes import Failed
from feedseg.errors import FeedsegError
from feedseg.evaluation.measured import Identified, Measured, Measurements, identity, total
from feedseg.evaluation.metrics.bootstrap import ImageAreas, Interval, gain_interval, iou_interval
from feedseg.evaluation.metrics.boundaries import mean_boundary_score
from feedseg.evaluation.metrics.confusion import (
    class_accuracy,
    intersection_over_union,
    mean_class_accuracy,
    pixel_accuracy,
)
from feedseg.evaluation.metrics.ranking import Choice, chosen_images


@dataclass(frozen=True, eq=False)
class VariantResult:
    """One variant over all images."""

    confusion: np.ndarray  # (C, C)
    boundaries: np.ndarray | None  # (4, C), see `boundary_counts`; None where they were not counted
    areas: ImageAreas
    target: np.ndarray  # (images, C): pixels of every class in the target

    @cached_property
    def miou(self) -> Interval:
        """mIoU with its interval, 0 to 1."""
        return iou_interval(self.areas)

    @property
    def pixel_accuracy(self) -> float:
        """0 to 1."""
        return pixel_accuracy(self.confusion)

    @property
    def mean_class_accuracy(self) -> float:
        """0 to 1."""
        return mean_class_accuracy(self.confusion)

    @property
    def boundary_score(self) -> float | None:
        """The mean boundary F-score, 0 to 1."""
        return None if self.boundaries is None else mean_boundary_score(self.boundaries)

    @property
    def by_class(self) -> np.ndarray:
        """IoU, (C,), NaN for a class that does not occur."""
        return intersection_over_union(self.confusion)

    @property
    def accuracy_by_class(self) -> np.ndarray:
        """The fraction of its target's pixels that are predicted right, (C,)."""
        return class_accuracy(self.confusion)

    @cached_property
    def by_image(self) -> np.ndarray:
        """The mean IoU over the classes of an image's target, (images,); NaN where no pixel counts.

        Classes that are predicted there and not in the target count through the union of those whose pixels they take.
        """
        present = self.target > 0
        ratio = np.divide(self.areas.intersection, self.areas.union, out=np.zeros(present.shape), where=present)
        count = present.sum(axis=1)
        return np.divide(ratio.sum(axis=1), count, out=np.full(len(count), np.nan), where=count > 0)


@dataclass(frozen=True, eq=False)
class Result:
    """A benchmark's images, measured by every variant."""

    wanted: int  # images that were asked for
    names: tuple[str, ...]  # of those measured, in the benchmark's order
    failed: tuple[Failed[str], ...]  # the item is the image's name
    variants: Mapping[str, VariantResult]
    seconds: Mapping[str, float]  # the median over images: "encode", and each variant
    memory: int | None  # the most that one process held, bytes
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of images to show, by variant

    @property
    def missing(self) -> int:
        """Images that nobody has tried yet."""
        return self.wanted - len(self.names) - len(self.failed)

    @cached_property
    def choices(self) -> dict[str, list[Choice]]:
        """The images to show, by the variant that they were chosen by."""
        return chosen_images(self.names, self.variants)

    def gain(self, variant: str, over: str) -> Interval:
        """mIoU of one variant less that of another, 0 to 1, with its paired interval."""
        return gain_interval(self.variants[variant].areas, self.variants[over].areas)


def summarise(
    measurements: Measurements, wanted: Sequence[Identified], variants: Sequence[str], classes: int
) -> Result:
    """The result for the images that are wanted; journals may hold more.

    Args:
        measurements: what the journals hold.
        wanted: the images, in the benchmark's order.
        variants: their names.
        classes: how many labels there are.

    Raises:
        FeedsegError: what the journals hold of an image is not of these variants and classes.
    """
    identities = [identity(one) for one in wanted]
    measured = [measurements.measured[one] for one in identities if one in measurements.measured]
    if wrong := next((one for one in measured if not one.fits(variants, classes)), None):
        raise FeedsegError(f"the journal is damaged: what it holds of {wrong.name} was not measured so; delete it")
    memory = [one.memory for one in measured if one.memory is not None]
    names = tuple(one.name for one in measured)
    by_variant = {variant: _variant(measured, variant, classes) for variant in variants}
    result = Result(
        wanted=len(wanted),
        names=names,
        failed=tuple(Failed(one[0], measurements.failed[one]) for one in identities if one in measurements.failed),
        variants=by_variant,
        seconds=_medians([one.seconds for one in measured]),
        memory=max(memory, default=None),
    )
    shown = {choice.name for chosen in result.choices.values() for choice in chosen}
    return replace(result, labels={one.name: one.labels for one in measured if one.name in shown})


def _medians(seconds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of every part that the first image has, over the images that have it."""
    parts = seconds[0] if seconds else ()
    return {part: float(np.median([one[part] for one in seconds if part in one])) for part in parts}


def _variant(measured: Sequence[Measured], variant: str, classes: int) -> VariantResult:
    intersection, union, targets = (np.zeros((len(measured), classes), np.int32) for _ in range(3))
    boundaries = np.zeros((4, classes), np.int64)
    for row, one in enumerate(measured):
        target, pred, count = one.pixels[variant].T
        right = target == pred
        intersection[row, target[right]] = count[right]
        np.add.at(targets[row], target, count)
        np.add.at(union[row], target, count)
        np.add.at(union[row], pred, count)
        if variant in one.boundaries:
            present, *counts = one.boundaries[variant].T
            boundaries[:, present] += np.stack(counts)
    union -= intersection
    counted = bool(measured) and variant in measured[0].boundaries
    return VariantResult(
        confusion=total(measured, variant, classes),
        boundaries=boundaries if counted else None,
        areas=ImageAreas(intersection, union),
        target=targets,
    )
