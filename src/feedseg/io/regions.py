"""What a label map is made of: the areas of its classes, and its connected regions: which there are, who touches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def class_areas(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of a (height, width) label map each class has: (classes,) int64."""
    areas = np.zeros(classes, np.int64)
    for row in labels:  # row by row, as bincount widens what it counts to 64 bits
        areas += np.bincount(row, minlength=classes)
    return areas


@dataclass(frozen=True, eq=False)
class Runs:
    """A label map as its rows' runs of one label, and the runs that touch one another.

    What is asked of regions is asked of some thousand runs instead of millions of pixels: those of
    twenty-four megapixels are found in a fraction of a second.
    """

    shape: tuple[int, int]  # height and width of the map
    starts: np.ndarray  # (n,) the flat index of each run's first pixel, ascending
    lengths: np.ndarray  # (n,) pixels
    labels: np.ndarray  # (n,)
    touching: np.ndarray  # (m, 2) runs that share a border
    borders: np.ndarray  # (m,) over how many pixels they do

    @classmethod
    def of(cls, labels: np.ndarray) -> Runs:
        """The runs of a (height, width) map."""
        height, width = labels.shape
        first = np.ones((height, width), bool)
        first[:, 1:] = labels[:, 1:] != labels[:, :-1]
        starts = np.flatnonzero(first)
        ends = np.append(starts[1:], labels.size)[: len(starts)]  # of a map without pixels there are none
        # Of the row below, those from the run that holds the pixel below the first one to that below the last one.
        above = np.flatnonzero(ends <= labels.size - width)
        low = np.searchsorted(starts, starts[above] + width, "right") - 1
        high = np.searchsorted(starts, ends[above] + width - 1, "right") - 1
        counts = high - low + 1
        upper = np.repeat(above, counts)
        lower = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts - low, counts)
        shared = np.minimum(ends[upper] + width, ends[lower]) - np.maximum(starts[upper] + width, starts[lower])
        beside = np.flatnonzero(starts[1:] % width) if len(starts) > 1 else np.empty(0, int)
        touching = np.concatenate([np.stack([upper, lower], 1), np.stack([beside, beside + 1], 1)])
        borders = np.concatenate([shared, np.ones(len(beside), int)])
        return cls((height, width), starts, ends - starts, labels.ravel()[starts], touching, borders)

    def painted(self, values: np.ndarray) -> np.ndarray:
        """A (height, width) map from one value for each run."""
        return np.repeat(values, self.lengths).reshape(self.shape)

    def components(self) -> np.ndarray:
        """Which runs are one region: (n,) the lowest run of the region."""
        same = self.labels[self.touching[:, 0]] == self.labels[self.touching[:, 1]]
        return connected(len(self.starts), self.touching[same])


def connected(count: int, pairs: np.ndarray) -> np.ndarray:
    """The lowest member of everyone's group, (count,), where (m, 2) pairs say who belongs together."""
    lowest = np.arange(count)
    one, other = pairs[:, 0], pairs[:, 1]
    while True:
        a, b = lowest[one], lowest[other]
        apart = a != b
        if not apart.any():
            return lowest
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        # The higher of two groups' heads follows the lower, then everyone follows their head's head to the end.
        np.minimum.at(lowest, np.maximum(a, b), np.minimum(a, b))
        while ((further := lowest[lowest]) != lowest).any():
            lowest = further


def connected_regions(labels: np.ndarray) -> np.ndarray:
    """The region of every pixel of a (height, width) label map: the flat index of the region's first pixel.

    A region is what is connected, by edges and not by corners alone, and has one label.
    """
    runs = Runs.of(labels)
    return runs.painted(runs.starts[runs.components()])


def region_depths(regions: np.ndarray) -> np.ndarray:
    """How many steps every pixel lies away from the nearest pixel of another region, or from the border.

    (height, width) integers, 0 at the edge of a region. Steps alternate between four and eight neighbours, so that
    depths are nearly distances.
    """
    ringed = np.pad(regions, 1, constant_values=-1)
    around = ringed[:-2, 1:-1], ringed[2:, 1:-1], ringed[1:-1, :-2], ringed[1:-1, 2:]
    inner = np.all([neighbour == regions for neighbour in around], axis=0)
    depths = np.zeros(regions.shape, int)
    while inner.any():
        depths += inner
        ringed = np.pad(inner, 1)
        upright, level = ringed[:-2] & ringed[2:], ringed[:, :-2] & ringed[:, 2:]
        inner = inner & upright[:, 1:-1] & level[1:-1]
        if depths.max() % 2:
            inner &= upright[:, :-2] & upright[:, 2:]
    return depths
