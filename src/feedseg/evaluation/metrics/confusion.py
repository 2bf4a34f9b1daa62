"""Segmentation metrics from one integer confusion matrix: pixels by target (rows) and prediction (columns)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def confusion_matrix(target: np.ndarray, pred: np.ndarray, classes: int, ignore: int | None = 255) -> np.ndarray:
    """Pixels by target (rows) and prediction (columns): (classes, classes), int64.

    Args:
        target: the true classes, integers of any shape; pixels equal to `ignore` do not count.
        pred: the predicted classes, of the same shape.
        classes: how many there are.
        ignore: None if all pixels count.

    Raises:
        ValueError: the shapes differ, or a class lies outside.
    """
    if target.shape != pred.shape:
        raise ValueError(f"the target has shape {target.shape}, the prediction {pred.shape}")
    counted = np.ones(target.shape, bool) if ignore is None else target != ignore
    target, pred = target[counted].astype(np.int64), pred[counted].astype(np.int64)
    for what, values in (("target", target), ("prediction", pred)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            outside = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"the {what} has a class outside 0 to {classes - 1}: {outside}")
    return np.bincount(target * classes + pred, minlength=classes**2).reshape(classes, classes)


def intersection_and_union(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per class the pixels in both target and prediction, and those in either: (classes,) each."""
    hits = np.diag(confusion)
    return hits, confusion.sum(axis=0) + confusion.sum(axis=1) - hits


def intersection_over_union(confusion: np.ndarray) -> np.ndarray:
    """Per class, (classes,), 0 to 1; NaN for a class that is in neither target nor prediction."""
    return _ratio(*intersection_and_union(confusion))


def mean_iou(confusion: np.ndarray) -> float:
    """mIoU, 0 to 1: the mean over the classes that occur; NaN if nothing was counted."""
    return mean_of_known(intersection_over_union(confusion))


def pixel_accuracy(confusion: np.ndarray) -> float:
    """The fraction of all counted pixels whose prediction is right; NaN if nothing was counted."""
    return float(_ratio(np.trace(confusion)[None], confusion.sum()[None])[0])


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Per class the fraction of its target's pixels that are predicted right, (classes,); NaN where there are none."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """The mean of `class_accuracy` over the classes of the target; NaN if nothing was counted."""
    return mean_of_known(class_accuracy(confusion))


@dataclass(frozen=True)
class Mistake:
    """Pixels of one class that are predicted as another one."""

    target: int
    pred: int
    pixels: int
    fraction: float  # of the target class's pixels


def largest_mistakes(confusion: np.ndarray, most: int) -> list[Mistake]:
    """The largest entries off the diagonal, the largest first; of equal ones the first in the matrix."""
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    totals = confusion.sum(axis=1)
    targets, preds = (indices.tolist() for indices in np.unravel_index(order, wrong.shape))
    return [
        Mistake(target, pred, int(wrong[target, pred]), float(wrong[target, pred] / totals[target]))
        for target, pred in zip(targets, preds, strict=True)
        if wrong[target, pred]
    ]


def mean_of_known(values: Sequence[float] | np.ndarray) -> float:
    """The mean without what is NaN; NaN if that leaves nothing."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else float("nan")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
