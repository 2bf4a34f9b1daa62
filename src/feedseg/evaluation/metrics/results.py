"""What the measured pictures come to: metrics, intervals, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from feedseg.engine.journal import Contents, Failed, Identity, Measured, total
from feedseg.evaluation.metrics.bootstrap import Interval, PictureAreas, gain_interval, iou_interval
from feedseg.evaluation.metrics.boundaries import mean_boundary_score
from feedseg.evaluation.metrics.confusion import (
    class_accuracy,
    intersection_over_union,
    mean_class_accuracy,
    pixel_accuracy,
)


@dataclass(frozen=True, eq=False)
class VariantResult:
    """One variant over all pictures."""

    confusion: np.ndarray  # (C, C)
    boundaries: np.ndarray | None  # (4, C), see `boundary_counts`; None where they were not counted
    areas: PictureAreas
    true: np.ndarray  # (pictures, C): pixels of every true class

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
        """The share of its true pixels that have the right label, (C,)."""
        return class_accuracy(self.confusion)

    @cached_property
    def by_picture(self) -> np.ndarray:
        """The mean IoU over the classes that are true in a picture, (pictures,); NaN where no pixel counts.

        Classes that are named there without being true count through the union of those whose pixels they take.
        """
        present = self.true > 0
        ratio = np.divide(self.areas.intersection, self.areas.union, out=np.zeros(present.shape), where=present)
        count = present.sum(axis=1)
        return np.divide(ratio.sum(axis=1), count, out=np.full(len(count), np.nan), where=count > 0)


@dataclass(frozen=True, eq=False)
class Result:
    """A benchmark's pictures, measured by every variant."""

    wanted: int  # pictures that were asked for
    names: tuple[str, ...]  # of those measured, in the benchmark's order
    failed: tuple[Failed, ...]
    variants: Mapping[str, VariantResult]
    seconds: Mapping[str, float]  # the median over pictures: "open", and each variant
    memory: int | None  # the most that one process held, bytes

    @property
    def missing(self) -> int:
        """Pictures that nobody has tried yet."""
        return self.wanted - len(self.names) - len(self.failed)

    def gain(self, variant: str, over: str) -> Interval:
        """mIoU of one variant less that of another, 0 to 1, with its paired interval."""
        return gain_interval(self.variants[variant].areas, self.variants[over].areas)


def summarise(contents: Contents, wanted: Sequence[Identity], variants: Sequence[str], classes: int) -> Result:
    """The result for the pictures that are wanted; journals may hold more.

    Args:
        wanted: the pictures, in the benchmark's order.
        variants: their names.
        classes: how many labels there are.
    """
    measured = [contents.measured[one] for one in wanted if one in contents.measured]
    parts = [*variants] if not measured else [*measured[0].seconds]
    memory = [one.memory for one in measured if one.memory is not None]
    return Result(
        wanted=len(wanted),
        names=tuple(one.name for one in measured),
        failed=tuple(contents.failed[one] for one in wanted if one in contents.failed),
        variants={variant: _variant(measured, variant, classes) for variant in variants},
        seconds={part: float(np.median([one.seconds[part] for one in measured])) for part in parts if measured},
        memory=max(memory, default=None),
    )


def _variant(measured: Sequence[Measured], variant: str, classes: int) -> VariantResult:
    intersection, union, truth = (np.zeros((len(measured), classes), np.int32) for _ in range(3))
    boundaries = np.zeros((4, classes), np.int64)
    for row, one in enumerate(measured):
        true, named, count = one.pixels[variant].T
        right = true == named
        intersection[row, true[right]] = count[right]
        np.add.at(truth[row], true, count)
        np.add.at(union[row], true, count)
        np.add.at(union[row], named, count)
        if variant in one.boundaries:
            present, *counts = one.boundaries[variant].T
            boundaries[:, present] += np.stack(counts)
    union -= intersection
    counted = bool(measured) and variant in measured[0].boundaries
    return VariantResult(
        confusion=total(measured, variant, classes),
        boundaries=boundaries if counted else None,
        areas=PictureAreas(intersection, union),
        true=truth,
    )
