"""Cutting a picture into overlapping windows, padding them to whole patches, and stitching their logits row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from feedseg.settings import Sides


@dataclass(frozen=True)
class Window:
    """A rectangle of the picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.width)


def starts(length: int, window: int, stride: int | None) -> list[tuple[int, int]]:
    """Start and size of the windows along one side: steps of `stride`, the last one moved back inside the picture.

    Without a stride as few as cover it, of one size, which overlap by no more than rounding up makes them.
    """
    if stride is None:
        count = -(-length // window)
        window = stride = -(-length // count)
    size = min(window, length)
    count = max(length - window + stride - 1, 0) // stride + 1
    return [(min(step * stride, length - size), size) for step in range(count)]


def place_windows(picture: Sides, window: Sides, stride: Sides | None) -> list[Window]:
    """The windows that cover a picture, row by row; a picture smaller than the window gets a smaller one."""
    vertical, horizontal = (None, None) if stride is None else stride
    return [
        Window(top, left, height, width)
        for top, height in starts(picture[0], window[0], vertical)
        for left, width in starts(picture[1], window[1], horizontal)
    ]


def padded_to_multiple(window: Tensor, multiple: int) -> tuple[Tensor, Window]:
    """Pad (…, height, width) with zeros to multiples of `multiple`, split evenly, the odd pixel right or at the bottom.

    Returns:
        the padded window, and where the original lies in it.
    """
    height, width = window.shape[-2:]
    extra_height, extra_width = -height % multiple, -width % multiple
    top, left = extra_height // 2, extra_width // 2
    padded = pad(window, (left, extra_width - left, top, extra_height - top))
    return padded, Window(top, left, height, width)


@dataclass(frozen=True)
class RowPair:
    """The two rows that a row of a resized picture lies between, and how near it is to the lower one, 0 to 1."""

    upper: int
    lower: int
    weight: float


def row_pairs(source: int, target: int) -> list[RowPair]:
    """For each of `target` rows the pair among `source` rows that bilinear resizing blends, pixels taken as areas."""
    pairs = []
    for row in range(target):
        place = max((row + 0.5) * source / target - 0.5, 0.0)
        upper = min(floor(place), source - 1)
        pairs.append(RowPair(upper, min(upper + 1, source - 1), place - upper))
    return pairs


def widened(rows: Tensor, width: int) -> Tensor:
    """Rows (C, rows, w) resized linearly to a width: (C, rows, width)."""
    wide = interpolate(rows.flatten(0, 1)[None], size=width, mode="linear", align_corners=False)[0]
    return wide.unflatten(0, rows.shape[:2])


@dataclass(frozen=True, eq=False)
class Tile:
    """A window's logits (C, h, w) on the host's grid, and where they belong.

    Resized to `sides` they cover the padded window, in which `inside` is the part that lies at `window`.
    """

    logits: Tensor
    sides: Sides
    inside: Window
    window: Window


class Mosaic:
    """The mean of the windows' logits over one picture, (C, height, width), of which rows are computed when asked for.

    The logits stay on the host's grid, so that no picture holds all classes at the size that its windows were cut from.
    Every row is the same to the last bit whichever rows are computed with it.
    """

    def __init__(self, size: Sides, tiles: Sequence[Tile]) -> None:
        """`tiles` cover the picture of `size`; where they overlap they are added in their order."""
        self.tiles = tiles
        self.shape = (len(tiles[0].logits), *size)
        self.device = tiles[0].logits.device

    def rows(self, start: int, stop: int) -> Tensor:
        """Some rows of the mean, (C, stop - start, width), fp32."""
        queries, _, width = self.shape
        total = torch.zeros(queries, stop - start, width, device=self.device)
        count = torch.zeros(stop - start, width, device=self.device)
        for tile in self.tiles:
            window, inside = tile.window, tile.inside
            first, last = max(start, window.top), min(stop, window.top + window.height)
            if first >= last:
                continue
            shift = inside.top - window.top
            pairs = row_pairs(tile.logits.shape[1], tile.sides[0])[first + shift : last + shift]
            above = pairs[0].upper
            wide = widened(tile.logits[:, above : pairs[-1].lower + 1], tile.sides[1])[:, :, inside.columns]
            for row, pair in enumerate(pairs, first - start):
                blend = torch.lerp(wide[:, pair.upper - above], wide[:, pair.lower - above], pair.weight)
                total[:, row, window.columns] += blend
            count[first - start : last - start, window.columns] += 1
        return total.div_(count)
