"""Regions of a raster of labels as polygons, from strips of rows: whole regions, while no map of all is held.

A region that reaches into the next strip waits, in pieces, until nothing more can be added; then the pieces become one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feedseg.io.outlines import Outline, outlines
from feedseg.io.regions import connected_regions

PIXELS = 1 << 20  # of a strip that is looked at together


@dataclass(frozen=True, eq=False)
class Region:
    """A connected region; its polygon, shapely's, has the pixels' corners in columns and rows of the raster."""

    label: int
    pixels: int
    polygon: Any


@dataclass(eq=False)
class _Open:
    """A region of which more may come."""

    label: int
    pixels: int = 0
    pieces: list[Outline] = field(default_factory=list)
    part_of: _Open | None = None  # the region that it has turned out to belong to

    @property
    def whole(self) -> _Open:
        """The region that this is a part of, as far as it is known."""
        one = self
        while one.part_of is not None:
            one = one.part_of
        return one

    def take(self, other: _Open) -> None:
        """Make another a part of this one."""
        self.pixels += other.pixels
        self.pieces += other.pieces
        other.pieces, other.part_of = [], self

    def closed(self) -> Region:
        """All of it as one polygon."""
        from shapely import union_all
        from shapely.geometry import Polygon

        shapes = [Polygon(one.exterior, one.holes) for one in self.pieces]
        return Region(self.label, self.pixels, shapes[0] if len(shapes) == 1 else _straightened(union_all(shapes)))


def regions(bands: Iterable[np.ndarray], leave_out: Iterable[int]) -> Iterator[Region]:
    """Every connected region of labels that come in bands of rows, (rows, width) each, from the top down.

    Regions are connected by edges, not by corners alone. They come in the order in which they end.

    Args:
        bands: of one width.
        leave_out: labels whose regions are not wanted.
    """
    unwanted = np.array(sorted(leave_out), int)
    above: tuple[np.ndarray, np.ndarray] | None = None  # the last row: its labels, and which of `waiting` it is of
    waiting: list[_Open] = []
    for start, labels in _strips(bands):
        traced = np.where(np.isin(labels, unwanted), -1, connected_regions(labels))
        found = _traced(labels, traced, start)
        if above is not None:
            touching = (above[0] == labels[0]) & (traced[0] >= 0)
            for number, name in np.unique(np.stack([above[1], traced[0]], axis=1)[touching], axis=0).tolist():
                one, other = waiting[number].whole, found[name].whole
                if one is not other:
                    one.take(other)
        names, index = np.unique(traced[-1], return_inverse=True)
        of_names = [found[name].whole if name >= 0 else None for name in names.tolist()]
        still = list(dict.fromkeys(one for one in of_names if one is not None))
        lasting = {*still}
        ended = (one for one in (*waiting, *found.values()) if one.part_of is None and one not in lasting)
        yield from (one.closed() for one in ended)
        places = {one: number for number, one in enumerate(still)}
        numbers = np.array([-1 if one is None else places[one] for one in of_names])
        waiting, above = still, (labels[-1], numbers[index.reshape(-1)])
    yield from (one.closed() for one in waiting)


def _strips(bands: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """The rows in strips of some size, with the first one's number."""
    start, held = 0, []
    for band in bands:
        held.append(band)
        if sum(one.size for one in held) >= PIXELS:
            strip = np.concatenate(held)
            yield start, strip
            start, held = start + len(strip), []
    if held:
        yield start, np.concatenate(held)


def _traced(labels: np.ndarray, traced: np.ndarray, start: int) -> dict[int, _Open]:
    """The regions of a strip by their names, which are the index of a pixel of theirs."""
    names, counts = np.unique(traced, return_counts=True)
    found = {
        name: _Open(int(labels.flat[name]), count)
        for name, count in zip(names.tolist(), counts.tolist(), strict=True)
        if name >= 0
    }
    shift = np.array([0, start])
    for name, one in outlines(traced):
        moved = Outline(one.exterior + shift, tuple(hole + shift for hole in one.holes))
        found[name].pieces.append(moved)
    return found


def _straightened(polygon: Any) -> Any:
    """The same polygon without corners at which it goes straight on."""
    from shapely.geometry import Polygon

    return Polygon(_turns(polygon.exterior), [_turns(hole) for hole in polygon.interiors])


def _turns(ring: Any) -> np.ndarray:
    points = np.array(ring.coords)[:-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
