"""An image's logits at its own size, stitched from windows and resized; rows exist when they are asked for.

Shapes: W windows, C queries, (h, w) the host's grid; the working size is the one that windows were cut from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, interpolate

from feedseg.settings import Sides
from feedseg.vision.windows import Placement

# Elements of the working rows that are kept, so that no image holds all classes at its working size.
BLOCK_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class RowPair:
    """The two rows that a row of a resized image lies between, and how near it is to the lower one, 0 to 1."""

    upper: int
    lower: int
    weight: float


def row_pairs(source: int, target: int) -> list[RowPair]:
    """For each of `target` rows the pair among `source` rows that bilinear resizing blends, pixels taken as areas."""
    pairs = []
    for row in range(target):
        position = max((row + 0.5) * source / target - 0.5, 0.0)
        upper = min(floor(position), source - 1)
        pairs.append(RowPair(upper, min(upper + 1, source - 1), position - upper))
    return pairs


def widened(rows: Tensor, width: int) -> Tensor:
    """Rows (C, rows, w) resized linearly to a width: (C, rows, width)."""
    wide = interpolate(rows.flatten(0, 1)[None], size=width, mode="linear", align_corners=False)[0]
    return wide.unflatten(0, rows.shape[:2])


class StitchedLogits:
    """The mean of the windows' logits over one image, resized bilinearly to its size: (C, height, width).

    The logits stay on the host's grid. What the next rows need again is kept, so asking from the top down does
    everything once, and every row is the same to the last bit whichever rows are computed with it. For one thread.
    """

    def __init__(self, logits: Tensor, size: Sides, working: Sides, placements: Sequence[Placement] | None) -> None:
        """Logits of windows that cover the image; where they overlap they are added in their order.

        Args:
            logits: (W, C, h, w).
            size: height and width of the image.
            working: those that the windows were cut from.
            placements: of the windows; None for one window that is the whole image, which is resized from its grid.
        """
        self._logits = logits
        self._placements = placements
        # The size that is resized to the image's: that of the windows' mean, or of the grid of a whole image.
        self.working: Sides = (logits.shape[-2], logits.shape[-1]) if placements is None else working
        self.shape = (logits.shape[1], *size)
        self.device = logits.device
        self.pairs = row_pairs(self.working[0], size[0])
        self._known = self.working[0]  # working rows that all windows are there for
        self._block_start, self._block = 0, torch.empty(0, 0, 0)
        self._wide: dict[int, Tensor] = {}  # by working row, (C, width) each
        self._strip = torch.empty(0, 0, 0)

    @classmethod
    def of_grid(cls, logits: Tensor, size: Sides) -> StitchedLogits:
        """Those of a whole image, (C, h, w)."""
        return cls(logits[None], size, size, None)

    def rows(self, rows: slice) -> Tensor:
        """Rows at the image's size, (C, rows, width), fp32. The next call may write over them."""
        queries, _, width = self.shape
        pairs = self.pairs[rows]
        if self._strip.shape[1] != len(pairs):
            self._strip = torch.empty(queries, len(pairs), width, device=self.device)
        for row, pair in enumerate(pairs):
            needed = {pair.upper, pair.lower}
            self._wide = {source: wide for source, wide in self._wide.items() if source in needed}
            for source in needed - self._wide.keys():
                self._wide[source] = widened(self.working_row(source), width)[:, 0]
            torch.lerp(self._wide[pair.upper], self._wide[pair.lower], pair.weight, out=self._strip[:, row])
        return self._strip

    def at_working_size(self) -> Tensor:
        """The whole mean before it is resized to the image: (C, height, width), or on the grid of a whole image."""
        return self._mean(0, self.working[0])

    def at_patches(self) -> Tensor:
        """The mean at the resolution of the patches: (C, h, w), the grid of a whole image as it is.

        Of windows, whose grids lie in between each other, the mean over squares of a patch's size.
        """
        if self._placements is None:
            return self._logits[0]
        height, width = self.working
        sides, (rows, columns) = self._placements[0].sides, self._logits.shape[-2:]
        grid = max(1, round(height * rows / sides[0])), max(1, round(width * columns / sides[1]))
        patches = torch.empty(self.shape[0], *grid, device=self.device)
        for row in range(grid[0]):
            start, stop = row * height // grid[0], -(-(row + 1) * height // grid[0])
            strip = self._mean(start, stop).mean(dim=1)
            patches[:, row] = adaptive_avg_pool1d(strip, grid[1])
        return patches

    def working_row(self, row: int) -> Tensor:
        """A row of the mean before it is resized, (C, 1, width)."""
        if not 0 <= row - self._block_start < self._block.shape[1]:
            width = self.working[1]
            most = max(1, BLOCK_ELEMENTS // (self.shape[0] * width))
            self._block_start, self._block = row, self._mean(row, min(row + most, self._known))
        index = row - self._block_start
        return self._block[:, index : index + 1]

    def _mean(self, start: int, stop: int) -> Tensor:
        """Some working rows, (C, stop - start, width)."""
        if self._placements is None:
            return self._logits[0, :, start:stop]
        total = torch.zeros(self.shape[0], stop - start, self.working[1], device=self.device)
        count = torch.zeros(stop - start, self.working[1], device=self.device)
        for logits, placement in self._placed():
            window, inside = placement.window, placement.inside
            first, last = max(start, window.top), min(stop, window.top + window.height)
            if first >= last:
                continue
            shift = inside.top - window.top
            pairs = row_pairs(logits.shape[1], placement.sides[0])[first + shift : last + shift]
            above = pairs[0].upper
            wide = widened(logits[:, above : pairs[-1].lower + 1], placement.sides[1])[:, :, inside.columns]
            for row, pair in enumerate(pairs, first - start):
                blend = torch.lerp(wide[:, pair.upper - above], wide[:, pair.lower - above], pair.weight)
                total[:, row, window.columns] += blend
            count[first - start : last - start, window.columns] += 1
        return total.div_(count.clamp_(min=1))

    def _placed(self) -> Iterable[tuple[Tensor, Placement]]:
        """The windows in the order in which they are added."""
        return zip(self._logits, self._placements or (), strict=True)


class LogitsBuffer:
    """The logits of an image's windows while they are being made, in one piece of memory.

    Tensors of their own would leave holes between them, where the tower has worked.
    """

    def __init__(self, working: Sides, windows: int) -> None:
        """`working` is the size that so many windows were cut from."""
        self._working = working
        self._windows = windows
        self._logits = torch.empty(0)
        self._placements: list[Placement | None] = []

    def add(self, logits: Tensor, placement: Placement | None) -> None:
        """The next window's, (C, h, w); `placement` is None for one that is the whole image."""
        if not self._placements:
            self._logits = logits.new_empty(self._windows, *logits.shape)
        self._logits[len(self._placements)].copy_(logits)
        self._placements.append(placement)

    def stitched(self, size: Sides) -> StitchedLogits:
        """All of them, for an image of a height and width."""
        placements = [placement for placement in self._placements if placement is not None]
        return StitchedLogits(self._logits, size, self._working, placements or None)
