"""What a label map is made of: the areas of its classes, its connected regions and how deep they are."""

from __future__ import annotations

import numpy as np


def class_areas(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of a (height, width) label map each class has: (classes,) int64."""
    areas = np.zeros(classes, np.int64)
    for row in labels:  # row by row, as bincount widens what it counts to 64 bits
        areas += np.bincount(row, minlength=classes)
    return areas


def connected_regions(labels: np.ndarray) -> np.ndarray:
    """The region of every pixel of a (height, width) label map: the flat index of the region's first pixel.

    A region is what is connected, by edges and not by corners alone, and has one label.
    """
    ids = np.arange(labels.size).reshape(labels.shape)
    beside, above = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    while True:
        new = ids.copy()
        for one, other, same in ((new[:, 1:], new[:, :-1], beside), (new[1:], new[:-1], above)):
            lower = np.minimum(one, other)
            np.minimum(one, lower, out=one, where=same)
            np.minimum(other, lower, out=other, where=same)
        new = new.ravel()[new]  # an id is a pixel of the same region, whose own id may be lower still
        if (new == ids).all():
            return ids
        ids = new


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
