"""How far mIoU can be trusted: paired bootstrap intervals over images.

Images are drawn anew with replacement, all variants seeing the same draw, so what makes an image hard for both does
not blur their difference (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, the percentile interval). The
numbers say how the result would vary with other images like these, and nothing about other data or models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

REPEATS = 2000
LEVEL = 0.95
FEW = 20  # with fewer images the interval says too little: its bounds come out too close
SEED = 0
BLOCK_ELEMENTS = 1 << 22  # of weights that are held at once


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its 95 % interval; all NaN if nothing was counted, the bounds for one image."""

    value: float
    low: float
    high: float
    spread: float = np.nan  # the standard deviation over the draws


@dataclass(frozen=True, eq=False)
class ImageAreas:
    """Of one variant, per image and class, what mIoU is made of: (images, classes), integers, each."""

    intersection: np.ndarray
    union: np.ndarray

    @classmethod
    def of(cls, confusions: np.ndarray) -> ImageAreas:
        """From confusion matrices of images, (images, classes, classes)."""
        hits = np.einsum("ncc->nc", confusions)
        return cls(hits, confusions.sum(axis=1) + confusions.sum(axis=2) - hits)

    def mean_iou(self, weights: np.ndarray) -> np.ndarray:
        """mIoU, 0 to 1, of draws: (draws,) from how often each holds every image, (draws, images).

        The sums are integers below 2^53, so they are exact and the same on every machine.
        """
        weights = weights.astype(np.float64)
        hits, union = weights @ self.intersection, weights @ self.union
        ratio = np.divide(hits, union, out=np.zeros_like(hits), where=union > 0)
        occurring = (union > 0).sum(axis=1)
        return np.divide(ratio.sum(axis=1), occurring, out=np.full(len(ratio), np.nan), where=occurring > 0)

    @cached_property
    def whole(self) -> float:
        """mIoU over all images."""
        return float(self.mean_iou(np.ones((1, len(self.union)), np.int64))[0])

    @cached_property
    def resampled(self) -> np.ndarray:
        """mIoU of every draw, (REPEATS,); draws depend on the number of images alone, so differences are paired."""
        return np.concatenate([self.mean_iou(weights) for weights in _draws(len(self.union), REPEATS)])


PictureAreas = ImageAreas  # its name until version 0.2


def iou_interval(areas: ImageAreas) -> Interval:
    """mIoU with its interval."""
    return gain_interval(areas, None)


def gain_interval(areas: ImageAreas, others: ImageAreas | None) -> Interval:
    """mIoU less that of `others` on the same images, with its interval; the draws are the same in every call."""
    value = areas.whole - (0 if others is None else others.whole)
    if len(areas.union) < 2:  # every draw is the same, which tells nothing of how they vary
        return Interval(value, np.nan, np.nan)
    drawn = areas.resampled - (0 if others is None else others.resampled)
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return Interval(value, np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Interval(value, float(low), float(high), float(drawn.std()))


def few_note(count: int) -> str | None:
    """What to say of intervals over so few images, or None where they are enough."""
    if count >= FEW:
        return None
    if count < 2:
        return "One image has no interval."
    return f"{count} images are too few: their intervals come out too narrow."


def _draws(count: int, repeats: int) -> Iterator[np.ndarray]:
    """How often each image is drawn, (block, count), a block of repeats at a time."""
    generator = np.random.default_rng(SEED)
    rows = max(1, BLOCK_ELEMENTS // count)
    for start in range(0, repeats, rows):
        yield generator.multinomial(count, np.full(count, 1 / count), size=min(rows, repeats - start))
