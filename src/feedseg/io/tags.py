"""Names on the regions of a picture: where there is room for one, else beside it with a line to it, else none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from feedseg.io.legend import Found
from feedseg.io.patterns import ink_on
from feedseg.io.regions import connected_regions, region_depths

_COVERED = 0.2  # the largest fraction of a region that a name may hide
_TRIED = 40  # places in a region where its name may stand
_OUTSIDE = 12  # the most names that stand beside what they name
Box = tuple[int, int, int, int]  # left, top, right, bottom
Point = tuple[float, float]  # x, y


def name_regions(
    drawn: Image.Image, labels: np.ndarray, found: Mapping[int, Found], size: int, background: bool
) -> None:
    """Write the classes' names on their regions, the largest first.

    No name hides another, nor more than a fifth of any region that could have one. A class whose regions are all too
    small for it has its name beside the largest of them, with a line to it, where there is room.

    Args:
        drawn: RGB; drawn on.
        labels: (height, width), as large as the drawing.
        found: the classes that occur, by their labels.
        size: of the letters, in pixels.
        background: class 0 is not named.
    """
    page = _Page(drawn, labels, size)
    later = []
    for region, area in page.regions():
        label = page.label(region)
        if background and label == 0:
            continue
        if not page.write_on(region, area, found[label]):
            later.append((region, label))
    for region, label in later:
        if found[label] not in page.named and page.outside < _OUTSIDE:
            page.write_beside(region, found[label])


@dataclass
class _Page:
    drawn: Image.Image
    labels: np.ndarray
    size: int
    boxes: list[Box] = field(default_factory=list)
    named: list[Found] = field(default_factory=list)
    outside: int = 0

    def __post_init__(self) -> None:
        self.step = step = math.ceil(max(self.labels.shape) / 160)
        self.coarse = self.labels[step // 2 :: step, step // 2 :: step]
        self.ids = connected_regions(self.coarse)
        self.depths = region_depths(self.ids)
        self.high = round(1.5 * self.size)
        self.areas = np.bincount(self.ids.ravel(), minlength=self.ids.size) * step**2
        self.draw = ImageDraw.Draw(self.drawn)

    def regions(self) -> Iterator[tuple[int, int]]:
        """Those that are not specks, the largest first, with their areas in pixels."""
        for region in np.argsort(-self.areas, kind="stable")[: np.count_nonzero(self.areas > (0.6 * self.high) ** 2)]:
            yield int(region), int(self.areas[region])

    def label(self, region: int) -> int:
        return int(self.coarse.flat[region])

    def write_on(self, region: int, area: int, one: Found) -> bool:
        """Write the name in the middle of its region, or elsewhere in it, if it has room; whether it does."""
        extent = int(np.ptp(np.nonzero(self.ids == region)[1]) + 1) * self.step
        text, wide = self._words(one, min(max(extent, 10 * self.size), self.drawn.width) - 2 * self.size)
        if wide * self.high > _COVERED * area:
            return False
        for x, y in self._deep_points(region):
            box = self._box(x - wide / 2, y - self.high / 2, wide)
            if self._is_free(box):
                self._write(box, text, one)
                return True
        return False

    def write_beside(self, region: int, one: Found) -> None:
        """Write the name near its region, with a line that leads to it, where that hides nothing."""
        anchor = self._middle(region)
        text, wide = self._words(one, min(12 * self.size, self.drawn.width - 2 * self.size))
        ys, xs = np.nonzero(self.ids == region)
        left, right = xs.min() * self.step, (xs.max() + 1) * self.step
        top, bottom = ys.min() * self.step, (ys.max() + 1) * self.step
        for gap in (0.8 * self.size, 2.5 * self.size, 5 * self.size):
            above, below = top - gap - self.high, bottom + gap
            before, after = left - gap - wide, right + gap
            centre, middle = anchor[0] - wide / 2, anchor[1] - self.high / 2
            corners = (centre, above), (after, middle), (before, middle), (centre, below)
            corners += (after, above), (before, above), (after, below), (before, below)
            for corner in corners:
                box = self._box(*corner, wide)
                moved = abs(box[0] - corner[0]) + abs(box[1] - corner[1])
                if moved < wide / 2 and self._is_free(box, but_not=region) and self._is_clear(anchor, box):
                    self._lead(anchor, box)
                    self._write(box, text, one)
                    self.outside += 1
                    return

    def _middle(self, region: int) -> Point:
        """The middle of the deepest line through a region, or of its deepest spot, whichever it has."""
        inside = np.where(self.ids == region, self.depths, -1)
        ridge = np.argwhere(inside == inside.max())
        y, x = ridge[np.linalg.norm(ridge - ridge.mean(axis=0), axis=1).argmin()] * self.step + self.step / 2
        return float(x), float(y)

    def _deep_points(self, region: int) -> Iterator[Point]:
        """Points of a region around which there is room for a line of text, its middle first."""
        inside = np.where(self.ids == region, self.depths, -1)
        deep = np.argwhere((2 * inside + 1) * self.step >= self.high)
        if not len(deep):
            return
        yield self._middle(region)
        order = np.argsort(-inside[tuple(deep.T)], kind="stable")
        for y, x in deep[order[:: max(1, len(deep) // _TRIED)]] * self.step + self.step / 2:
            yield float(x), float(y)

    def _words(self, one: Found, width: float) -> tuple[str, int]:
        """The name as it fits, and how wide its box is."""
        text = one.words.cut(width)
        return text, round(one.words.font.getlength(text)) + self.size

    def _box(self, left: float, top: float, wide: int) -> Box:
        """A name's box there, or as near as the picture's edges let it be."""
        x = int(min(max(left, 2), self.drawn.width - wide - 2))
        y = int(min(max(top, 2), self.drawn.height - self.high - 2))
        return x, y, x + wide, y + self.high

    def _is_free(self, box: Box, but_not: int | None = None) -> bool:
        """Whether a name there hides no other, and not too much of any region; nothing of one of them."""
        left, top, right, bottom = box
        if min(left, top) < 0 or any(
            left < x1 and x0 < right and top < y1 and y0 < bottom for x0, y0, x1, y1 in self.boxes
        ):
            return False
        cells = self.ids[top // self.step : bottom // self.step + 1, left // self.step : right // self.step + 1]
        hidden, counts = np.unique(cells, return_counts=True)
        areas = self.areas[hidden]
        large = areas > (0.6 * self.high) ** 2
        if (counts[large] * self.step**2 > _COVERED * areas[large]).any():
            return False
        return but_not is None or not (hidden == but_not).any()

    def _is_clear(self, anchor: Point, box: Box) -> bool:
        """Whether a line from there to the box crosses no name."""
        end = _nearest(anchor, box)
        for part in np.linspace(0, 1, 24):
            x, y = (a + part * (b - a) for a, b in zip(anchor, end, strict=True))
            if any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in self.boxes):
                return False
        return True

    def _lead(self, anchor: Point, box: Box) -> None:
        end, thin = _nearest(anchor, box), max(1, self.size // 10)
        x, y = anchor
        for colour, width in (((16, 16, 16), 3 * thin), ((255, 255, 255), thin)):
            dot = width / 2 + thin
            self.draw.line((*anchor, *end), colour, width)
            self.draw.ellipse((x - dot, y - dot, x + dot, y + dot), colour)

    def _write(self, box: Box, text: str, one: Found) -> None:
        self.boxes.append(box)
        self.named.append(one)
        left, top, _, _ = box
        self.draw.rounded_rectangle(box, 0.35 * self.size, one.colour, (255, 255, 255), 1 + self.size // 24)
        at = left + self.size / 2, top + self.high / 2 + 0.36 * self.size
        self.draw.text(at, text, ink_on(one.colour), one.words.font, "ls")


def _nearest(point: Point, box: Box) -> Point:
    """The point of a box that is the nearest."""
    (x, y), (left, top, right, bottom) = point, box
    return min(max(x, left), right), min(max(y, top), bottom)
