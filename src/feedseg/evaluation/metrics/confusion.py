"""Segmentation metrics from one integer confusion matrix: pixels by true class (rows) and label (columns)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def confusion_matrix(truth: np.ndarray, labels: np.ndarray, classes: int, ignore: int | None = 255) -> np.ndarray:
    """Pixels by true class (rows) and label (columns): (classes, classes), int64.

    Args:
        truth: true classes, integers of any shape; pixels equal to `ignore` do not count.
        labels: the labels, of the same shape.

    Raises:
        ValueError: the shapes differ, or a class lies outside.
    """
    if truth.shape != labels.shape:
        raise ValueError(f"the truth has shape {truth.shape}, the labels {labels.shape}")
    counted = np.ones(truth.shape, bool) if ignore is None else truth != ignore
    true, named = truth[counted].astype(np.int64), labels[counted].astype(np.int64)
    for what, values in (("the truth has", true), ("the labels have", named)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            outside = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"{what} a class outside 0 to {classes - 1}: {outside}")
    return np.bincount(true * classes + named, minlength=classes**2).reshape(classes, classes)


def intersection_and_union(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per class the pixels that are rightly so named, and those that are so named or truly so: (classes,) each."""
    hits = np.diag(confusion)
    return hits, confusion.sum(axis=0) + confusion.sum(axis=1) - hits


def intersection_over_union(confusion: np.ndarray) -> np.ndarray:
    """Per class, (classes,), 0 to 1; NaN for a class that is neither true nor named anywhere."""
    return _ratio(*intersection_and_union(confusion))


def mean_iou(confusion: np.ndarray) -> float:
    """mIoU, 0 to 1: the mean over the classes that occur; NaN if nothing was counted."""
    return mean_of_known(intersection_over_union(confusion))


def pixel_accuracy(confusion: np.ndarray) -> float:
    """The share of all counted pixels that have the right label; NaN if nothing was counted."""
    return float(_ratio(np.trace(confusion)[None], confusion.sum()[None])[0])


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Per class the share of its true pixels with the right label, (classes,); NaN for one that is true nowhere."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """The mean of `class_accuracy` over the classes that are true somewhere; NaN if nothing was counted."""
    return mean_of_known(class_accuracy(confusion))


@dataclass(frozen=True)
class Mistake:
    """A class whose pixels are named as another one."""

    true: int
    named: int
    pixels: int
    share: float  # of the true class's pixels


def largest_mistakes(confusion: np.ndarray, most: int) -> list[Mistake]:
    """The largest entries off the diagonal, the largest first; of equal ones the first in the matrix."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    totals = confusion.sum(axis=1)
    return [
        Mistake(true, named, int(wrong[true, named]), float(wrong[true, named] / totals[true]))
        for true, named in zip(*(places.tolist() for places in np.unravel_index(order, wrong.shape)), strict=True)
        if wrong[true, named]
    ]


def mean_of_known(values: Sequence[float] | np.ndarray) -> float:
    """The mean without what is NaN; NaN if that leaves nothing."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
