"""A result as a list of objects, which most tools want: every class, or every connected region of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from feedseg.io.regions import connected_regions

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, eq=False)
class FoundObject:
    """Some of the pixels of one class."""

    label: int
    name: str
    box: Box
    confidence: float  # the mean over its pixels
    mask: np.ndarray = field(repr=False)  # its pixels within the box, bool

    def whole(self, size: tuple[int, int]) -> np.ndarray:
        """Its pixels in an image of this width and height, (height, width) bool."""
        width, height = size
        left, top, right, bottom = self.box
        whole = np.zeros((height, width), bool)
        whole[top:bottom, left:right] = self.mask
        return whole


def found_objects(result: Segmentation, connected: bool = False) -> list[FoundObject]:
    """What was found, in the order of the classes and then of the first pixels; a background is none of it.

    Args:
        result: a segmentation.
        connected: an object for each connected region, instead of one for each class.
    """
    labels = result.labels
    ids = connected_regions(labels) if connected else labels
    names, numbers = np.unique(ids, return_inverse=True)
    numbers = numbers.reshape(labels.shape)
    count = len(names)
    confidence = _sums(numbers, result.confidence, count) / _sums(numbers, np.ones_like(result.confidence), count)
    lefts, rights = _extent(numbers.T, count)
    tops, bottoms = _extent(numbers, count)
    found = []
    for number in range(count):
        box = left, top, right, bottom = (
            int(lefts[number]),
            int(tops[number]),
            int(rights[number]),
            int(bottoms[number]),
        )
        mask = numbers[top:bottom, left:right] == number
        label = int(labels[top:bottom, left:right][mask][0])
        if not (result.background and label == 0):
            found.append(FoundObject(label, result.names[label], box, float(confidence[number]), mask))
    return sorted(found, key=lambda one: one.label)


def _sums(numbers: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(numbers.ravel(), values.ravel(), count)


def _extent(numbers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first row that has each number, and the one after the last."""
    first, last = np.full(count, len(numbers)), np.zeros(count, int)
    for row, line in enumerate(numbers):
        present = np.flatnonzero(np.bincount(line, minlength=count))
        first[present] = np.minimum(first[present], row)
        last[present] = row + 1
    return first, last
