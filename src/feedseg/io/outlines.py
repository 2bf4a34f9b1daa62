"""Regions as polygons that follow the edges of the pixels, with holes.

What a polygon covers is exactly what the region has: its area is the number of pixels; neighbours share their edges.
(Contours as OpenCV, scikit-image and contourpy have them run through the middle of pixels or cut their corners; GDAL
traces edges too, but is thirty-six megabytes for what NumPy does here.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Ring = np.ndarray  # (n, 2) integers, x and y of the corners, without the first one repeated


@dataclass(frozen=True, eq=False)
class Outline:
    """One region: x to the right and y down, a pixel being the square from its index to the next.

    Rings do not cross or touch themselves; holes may touch each other and the exterior in single points. By x and y
    as they are, the exterior turns counter-clockwise and holes clockwise, as GeoJSON wants it.
    """

    exterior: Ring
    holes: tuple[Ring, ...] = ()

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The exterior, then the holes."""
        return (self.exterior, *self.holes)

    def in_one(self) -> Ring:
        """The region as one ring, for formats without holes: a cut without width leads from each hole up to a ring."""
        ring = self.exterior
        for hole in sorted(self.holes, key=lambda hole: (hole[0, 1], hole[0, 0])):  # a ring above it is already in
            x, y = hole[0]
            starts, ends = ring, np.roll(ring, -1, axis=0)
            level = starts[:, 1] == ends[:, 1]
            left, right = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
            above = np.flatnonzero(level & (left <= x) & (x <= right) & (starts[:, 1] <= y))
            edge = above[np.argmax(starts[above, 1])]
            foot = np.array([[x, starts[edge, 1]]])
            ring = np.concatenate([ring[: edge + 1], foot, hole, hole[:1], foot, ring[edge + 1 :]])
        return ring


def outlines(regions: np.ndarray) -> Iterator[tuple[int, Outline]]:
    """Every region of a (height, width) map with its outline, by ascending region.

    Args:
        regions: as `feedseg.io.regions.connected_regions` has them; those below 0 are left out.
    """
    region, corners, level, upright = _corners(regions)
    along = level.tolist(), upright.tolist()
    rings: list[Ring] = []
    seen = bytearray(len(region))
    last = -1
    for start, name in enumerate(region.tolist()):
        if name != last and rings:
            yield last, Outline(rings[0], tuple(rings[1:]))
            rings = []
        last = name
        if seen[start]:
            continue
        # Corners come by y and x: the first of a region is its exterior's, which goes right from there, holes go down.
        ring, at, turn = [], start, bool(rings)
        while not seen[at]:
            seen[at] = 1
            ring.append(at)
            at = along[turn][at]
            turn = not turn
        rings.append(corners[ring])
    if rings:
        yield last, Outline(rings[0], tuple(rings[1:]))


def _corners(regions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where outlines turn, and which corners an edge joins.

    Two pixels of a region that touch in one point alone make two corners there, each of which turns around one of the
    two pixels that are not the region's.

    Returns:
        each corner's region; its x and y; the corner at the other end of its level edge, and of its upright one.
        Corners are sorted by region, y and x.
    """
    ringed = np.pad(regions, 1, constant_values=-1)
    quarters = ringed[:-1, :-1], ringed[:-1, 1:], ringed[1:, :-1], ringed[1:, 1:]
    straight = (quarters[0] == quarters[1]) & (quarters[2] == quarters[3])
    straight |= (quarters[0] == quarters[2]) & (quarters[1] == quarters[3])
    y, x = np.nonzero(~straight)
    around = np.stack([quarter[y, x] for quarter in quarters])  # above left, above right, below left, below right
    found = []
    for quarter, region in enumerate(around):
        same = around == region
        twice = same[3 - quarter] & (same.sum(axis=0) == 2)
        here = (region >= 0) & ~same[:quarter].any(axis=0) & (twice | (same.sum(axis=0) % 2 == 1))
        # Of two corners the first has the edge to the left. It goes on below where the region is above left and below
        # right, so that it turns around the pixel below left; otherwise it goes on above.
        down = int(quarter == 0)
        for at, across, along in ((here & ~twice, 0, 0), (here & twice, 0, down), (here & twice, 1, 1 - down)):
            place = np.flatnonzero(at)
            second = np.broadcast_to(np.array([[across], [along]]), (2, len(place)))
            found.append(np.concatenate([[region[place], y[place], x[place]], second]))
    region, y, x, across, along = np.concatenate(found, axis=1)
    order = np.lexsort((across, x, y, region))
    region, y, x, along = region[order], y[order], x[order], along[order]
    # On a line, edges lie between the first and the second corner of a region, the third and the fourth, and so on.
    other = np.arange(len(region)) ^ 1
    column = np.lexsort((along, y, x, region))
    upright = np.empty_like(column)
    upright[column] = column[other]
    return region, np.stack([x, y], axis=1), other, upright
