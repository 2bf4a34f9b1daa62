"""What formats list as objects: a class's pixels, or each connected region of them; the background is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feedseg.io.outlines import Outline, outlines
from feedseg.io.regions import Runs

if TYPE_CHECKING:
    from feedseg.labelmap import LabelMap


def class_numbers(names: Sequence[str], background: bool) -> dict[int, int]:
    """The classes' numbers from 0 by their index, where a background has none."""
    return {index: index - background for index in range(int(background), len(names))}


@dataclass(frozen=True, eq=False)
class TracedObject:
    """An object as polygons."""

    label: int
    pixels: int
    outlines: tuple[Outline, ...]  # one for each region, by their first pixels

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width and height."""
        corners = np.concatenate([outline.exterior for outline in self.outlines])
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        return left, top, right - left, bottom - top


def traced_objects(result: LabelMap) -> Iterator[TracedObject]:
    """The objects by class and first pixel."""
    runs = Runs.of(result.labels)
    region = runs.components()
    areas = np.bincount(region, runs.lengths).astype(np.int64)
    ids = np.where((runs.labels == 0) & result.background, -1, region).astype(np.int32)
    groups: dict[tuple[int, int], list[tuple[int, Outline]]] = {}
    for one, outline in outlines(runs.painted(ids)):
        label = int(runs.labels[one])
        groups.setdefault((label, one if result.regions.connected else -1), []).append((one, outline))
    for (label, _), members in sorted(groups.items(), key=lambda group: group[0]):
        pixels = sum(int(areas[one]) for one, _ in members)
        yield TracedObject(label, pixels, tuple(outline for _, outline in members))


@dataclass(frozen=True, eq=False)
class CountedObject:
    """An object as run lengths."""

    label: int
    pixels: int
    box: tuple[int, int, int, int]  # x, y, width and height
    counts: list[int]  # pixels outside, inside, outside, and so on


def counted_objects(result: LabelMap, *, by_rows: bool = False) -> Iterator[CountedObject]:
    """The objects by class and first pixel, counted down the columns, which is COCO's order, or along the rows."""
    labels = result.labels if by_rows else result.labels.T
    runs = Runs.of(labels)
    of_class = runs.labels.astype(np.int64)
    group = of_class * len(of_class) + (runs.components() if result.regions.connected else 0)
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        label = int(of_class[members[0]])
        if label == 0 and result.background:
            continue
        starts, lengths = runs.starts[members], runs.lengths[members]
        lines, places = np.divmod(starts, labels.shape[1])
        line, place = int(lines.min()), int(places.min())
        across, along = int(lines.max()) + 1 - line, int((places + lengths).max()) - place
        box = (place, line, along, across) if by_rows else (line, place, across, along)
        yield CountedObject(label, int(lengths.sum()), box, _counts(starts, starts + lengths, labels.size))


def _counts(starts: np.ndarray, ends: np.ndarray, pixels: int) -> list[int]:
    """Lengths outside and inside in turn; what ends a line and goes on with the next is one run."""
    apart = starts[1:] != ends[:-1]
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    counts = np.diff(np.stack([starts, ends], axis=1).ravel(), prepend=0, append=pixels)
    return counts[: len(counts) - (counts[-1] == 0)].tolist()
