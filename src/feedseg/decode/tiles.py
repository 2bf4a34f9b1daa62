"""An image in tiles, none of which reaches across a working pixel: resizing is one bilinear function on each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import torch
from torch import Tensor

from feedseg.decode.chebyshev import evaluation
from feedseg.decode.logits import RowPair, widened

TILE = 16  # pixels of a tile's side, at most


@dataclass(frozen=True, eq=False)
class Axis:
    """Pixels along one side of the image in T tiles, each between two neighbouring working pixels."""

    lower: Tensor  # (T,), the working pixels at both sides
    upper: Tensor
    first: Tensor  # (T,), the upper one's weight at the tile's first and last pixel
    last: Tensor
    tile: Tensor  # (P,), the tile of every pixel
    inside: Tensor  # (P,), where it lies between the tile's first and last: -1 to 1
    pixels: Tensor  # (T, m), every tile's pixels, the last one repeated where there are fewer than m
    _evaluations: dict[int, Tensor]

    def evaluations(self, count: int) -> Tensor:
        """What turns values at n Chebyshev nodes of a tile into those of its pixels: (T, m, n)."""
        if count not in self._evaluations:
            self._evaluations[count] = evaluation(self.inside, count)[self.pixels]
        return self._evaluations[count]

    def slices(self) -> list[slice]:
        """Every tile's pixels."""
        first, last = self.pixels.aminmax(dim=1)
        return [slice(start, end + 1) for start, end in zip(first.tolist(), last.tolist(), strict=True)]

    @cached_property
    def parts(self) -> Tensor:
        """How near every tile's pixels are to its last one, 0 to 1: (T, m)."""
        return (self.inside[self.pixels] + 1) / 2


def tile_axis(lower: Tensor, weight: Tensor, sources: int) -> Axis:
    """The axis of pixels at `lower + weight`, (P,) each, between so many working pixels."""
    _, sizes = torch.unique_consecutive(lower, return_counts=True)
    lengths = [length for size in sizes.tolist() for length in parted(size)]
    counts = torch.tensor(lengths, device=lower.device)
    ends = counts.cumsum(0)
    starts = ends - counts
    tile = torch.repeat_interleave(counts)
    first, last = weight[starts], weight[ends - 1]
    steps = torch.arange(max(lengths), device=lower.device)
    pixels = torch.minimum(starts[:, None] + steps, ends[:, None] - 1)
    half = ((last - first) / 2).clamp(min=1e-9)
    inside = ((weight - first[tile]) / half[tile] - 1).clamp(-1, 1)
    below = lower[starts]
    above = (below + 1).clamp(max=sources - 1)
    return Axis(below, above, first, last, tile, inside, pixels, {})


def parted(size: int) -> list[int]:
    """As few nearly equal parts, none larger than `TILE`."""
    parts = ceil(size / TILE)
    return [size * (part + 1) // parts - size * part // parts for part in range(parts)]


def column_positions(sources: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Between which working pixels torch puts a resized row's columns: the left one's index, the right one's weight.

    Torch rounds positions to fp32, and every kernel does so in its way. So it is asked, by resizing rows of ones and
    zeros: a one at every third pixel, for each of the three.
    """
    marks = torch.arange(sources, device=device) % 3 == torch.arange(3, device=device)[:, None]
    weights = widened(marks.float()[:, None], width)[:, 0]
    exact = (torch.arange(width, device=device, dtype=torch.float64) + 0.5) * sources / width - 0.5
    near = exact.floor().long().clamp(0, sources - 1)
    unused = weights.argmin(dim=0)  # the third that neither neighbour is of; that of the left one comes next
    left = (near + (unused + 2 - near) % 3 - 1).clamp(0, sources - 1)
    return left, weights.gather(0, ((left + 1) % 3)[None])[0]


def row_positions(pairs: list[RowPair], device: torch.device) -> tuple[Tensor, Tensor]:
    """The same for rows, whose positions `StitchedLogits` chooses."""
    upper = torch.tensor([pair.upper for pair in pairs], device=device)
    return upper, torch.tensor([pair.weight for pair in pairs], dtype=torch.float32, device=device)
