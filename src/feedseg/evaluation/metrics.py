"""Segmentation metrics from one integer confusion matrix."""

from __future__ import annotations

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
    for what, values in (("the truth", true), ("the labels", named)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise ValueError(f"{what} hold a class outside 0 to {classes - 1}")
    return np.bincount(true * classes + named, minlength=classes**2).reshape(classes, classes)


def intersection_over_union(confusion: np.ndarray) -> np.ndarray:
    """Per class, (classes,), 0 to 1; NaN for a class that is neither true nor named anywhere."""
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """mIoU, 0 to 1: the mean over the classes that occur."""
    return float(np.nanmean(intersection_over_union(confusion)))
