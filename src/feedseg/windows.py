"""Cutting a picture into overlapping windows, padding them to whole patches, and stitching their logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

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


def starts(length: int, window: int, stride: int) -> list[tuple[int, int]]:
    """Start and size of the windows along one side: steps of `stride`, the last one moved back inside the picture."""
    size = min(window, length)
    count = max(length - window + stride - 1, 0) // stride + 1
    return [(min(step * stride, length - size), size) for step in range(count)]


def place_windows(picture: Sides, window: Sides, stride: Sides) -> list[Window]:
    """The windows that cover a picture, row by row; a picture smaller than the window gets a smaller one."""
    return [
        Window(top, left, height, width)
        for top, height in starts(picture[0], window[0], stride[0])
        for left, width in starts(picture[1], window[1], stride[1])
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


class Canvas:
    """The running mean of the windows' logits over one picture."""

    def __init__(self, queries: int, picture: Sides, device: torch.device) -> None:
        self._sum = torch.zeros(queries, *picture, device=device)
        self._count = torch.zeros(picture, device=device)

    def add(self, window: Window, logits: Tensor) -> None:
        """Add logits (C, height, width) of a window."""
        self._sum[:, window.rows, window.columns] += logits
        self._count[window.rows, window.columns] += 1

    def mean(self) -> Tensor:
        """The mean logits, (C, height, width), fp32. The canvas is used up."""
        return self._sum.div_(self._count)
