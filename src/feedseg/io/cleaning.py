"""Label maps without specks and holes, and whether a class's connected regions are objects of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.io.regions import Runs, connected

HOLE = 100  # without a background, a hole has less than this part of the area of the region around it


@dataclass(frozen=True)
class Regions:
    """What is done with the regions of a label map: what is connected by edges and has one label.

    Raises:
        FeedsegError: the area is neither a number of pixels nor a percentage.
    """

    # Smaller regions, of so many pixels or of a percentage of the image ("0.5%"), take the class with which they share
    # the longest border, the smallest region first; of classes with equally long borders, the one with the lower index.
    min_area: int | str = 0
    # A region that one other region encloses, away from the image's border, takes that region's class. Where there is a
    # background only the background has holes: what lies on an object may be another one. Where every pixel has one of
    # the words, only a region with less than a hundredth of the other one's area is a hole.
    fill_holes: bool = False
    # Formats that list objects have one for each region instead of one for each class.
    connected: bool = False

    def __post_init__(self) -> None:
        text = str(self.min_area).replace(" ", "")
        found = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", text)
        if isinstance(self.min_area, bool) or not found or (found[2] and float(found[2]) > 100):
            raise FeedsegError(
                f"the smallest area of a region is a number of pixels or a percentage of the image up to 100%, "
                f"such as 50 or 0.5%, not {str(self.min_area)!r}"
            )
        object.__setattr__(self, "min_area", int(text) if found[1] else text)

    def describe(self) -> dict[str, Any]:
        """What differs from doing nothing, as JSON has it."""
        return {name: value for name, value in vars(self).items() if value}

    @property
    def changes_labels(self) -> bool:
        """Whether some pixel may get another class."""
        return bool(self.min_area or self.fill_holes)

    def cleaned(self, labels: np.ndarray, background: bool) -> np.ndarray:
        """A (height, width) label map without its small regions and holes; with `background`, class 0 is that.

        Small regions first, then holes; cleaned again it stays as it is.
        """
        if not self.changes_labels:
            return labels
        graph = _Graph.of(labels)
        if self.min_area:
            graph = _without_small(graph, self._least(labels.size))
        if self.fill_holes:
            graph = _without_holes(graph, background)
        return graph.painted()

    def _least(self, pixels: int) -> float:
        if isinstance(self.min_area, int):
            return self.min_area
        return float(self.min_area.rstrip("%")) * pixels / 100


@dataclass(frozen=True, eq=False)
class _Graph:
    """Regions and their neighbours; a region's index follows its first pixel."""

    runs: Runs
    region: np.ndarray  # of every run
    labels: np.ndarray  # (n,) of the regions
    areas: np.ndarray  # (n,) pixels
    framed: np.ndarray  # (n,) bool: those at the image's border
    pairs: np.ndarray  # (m, 2) neighbours, the lower first, each once
    borders: np.ndarray  # (m,) how many pixels long

    @classmethod
    def of(cls, labels: np.ndarray) -> _Graph:
        runs = Runs.of(labels)
        height, width = runs.shape
        ends = runs.starts + runs.lengths
        framed = (runs.starts < width) | (runs.starts >= (height - 1) * width)
        framed |= (runs.starts % width == 0) | (ends % width == 0)
        every = np.arange(len(runs.starts))
        return cls(runs, every, runs.labels, runs.lengths, framed, runs.touching, runs.borders).relabelled(runs.labels)

    def relabelled(self, labels: np.ndarray) -> _Graph:
        """The graph in which neighbours of one label are one region."""
        same = labels[self.pairs[:, 0]] == labels[self.pairs[:, 1]]
        heads, joined = np.unique(connected(len(labels), self.pairs[same]), return_inverse=True)
        areas = np.bincount(joined, self.areas).astype(np.int64)
        framed = np.bincount(joined, self.framed) > 0
        low, high = np.sort(joined[self.pairs[~same]], axis=1).T
        keys, which = np.unique(low * len(heads) + high, return_inverse=True)
        borders = np.bincount(which, self.borders[~same], minlength=len(keys)).astype(np.int64)
        pairs = np.stack([keys // len(heads), keys % len(heads)], axis=1)
        return _Graph(self.runs, joined[self.region], labels[heads], areas, framed, pairs, borders)

    def painted(self) -> np.ndarray:
        return self.runs.painted(self.labels[self.region])


def _without_small(graph: _Graph, least: float) -> _Graph:
    """The smallest among its neighbours goes first; those that are no neighbours go together."""
    while len(graph.labels) > 1 and (small := graph.areas < least).any():
        turn = np.empty(len(small), int)
        turn[np.argsort(graph.areas, kind="stable")] = np.arange(len(small))
        one, other = graph.pairs.T
        later = np.where(turn[one] > turn[other], one, other)
        small[later[small[one] & small[other]]] = False
        both_ways = np.concatenate([graph.pairs, graph.pairs[:, ::-1]])
        going = small[both_ways[:, 0]]
        region, neighbour = both_ways[going].T
        borders = np.tile(graph.borders, 2)[going]
        classes = int(graph.labels.max()) + 1
        keys, which = np.unique(region * classes + graph.labels[neighbour], return_inverse=True)
        lengths = np.bincount(which, borders)
        region, label = keys // classes, keys % classes
        order = np.lexsort((-label, lengths, region))  # the last of each region is its longest border
        labels = graph.labels.copy()
        labels[region[order]] = label[order]
        graph = graph.relabelled(labels)
    return graph


def _without_holes(graph: _Graph, background: bool) -> _Graph:
    while True:
        neighbours = np.bincount(graph.pairs.ravel(), minlength=len(graph.labels))
        around = np.zeros(len(graph.labels), int)
        one, other = graph.pairs.T
        around[one], around[other] = other, one
        holes = (neighbours == 1) & ~graph.framed
        holes &= graph.labels == 0 if background else graph.areas * HOLE < graph.areas[around]
        if not holes.any():
            return graph
        graph = graph.relabelled(np.where(holes, graph.labels[around], graph.labels))
