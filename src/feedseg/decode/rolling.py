"""Logits of an image that is too large to be held: windows come row by row, and are forgotten behind their last use."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import torch
from torch import Tensor

from feedseg.decode.logits import StitchedLogits
from feedseg.settings import Sides
from feedseg.vision.windows import Placement


class RollingLogits(StitchedLogits):
    """What `StitchedLogits` has of all windows together, to the last bit, while only some of them are there.

    Windows are added from the top down, row by row. Pixels that no window covers have logits of 0.
    """

    def __init__(self, queries: int, size: Sides, working: Sides, device: torch.device) -> None:
        """Logits of so many queries; sizes as for `StitchedLogits`."""
        super().__init__(torch.empty(0, queries, 1, 1, device=device), size, working, ())
        self._known = 0
        self._windows: list[tuple[Tensor, Placement]] = []

    def add(self, logits: Tensor, placement: Placement) -> None:
        """The next window's, (C, h, w)."""
        self._windows.append((logits, placement))

    def ready(self, known: int) -> int:
        """How many rows of the image can be asked for once the first `known` working rows have all their windows."""
        self._known = known
        return bisect_left(self.pairs, known, key=lambda pair: pair.lower)

    def forget(self, row: int) -> None:
        """Drop the windows that no row of the image from this one on needs."""
        needed = self.pairs[row].upper if row < len(self.pairs) else self.working[0]
        self._windows = [one for one in self._windows if one[1].window.top + one[1].window.height > needed]

    def _placed(self) -> Iterable[tuple[Tensor, Placement]]:
        return self._windows
