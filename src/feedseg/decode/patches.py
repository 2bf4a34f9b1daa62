"""An image's patches before they are stitched: what a refiner of patches sees, and how it is collected.

Shapes: W windows of one image, C queries, (h, w) the grid of a window's patches, N = h·w, F the width of a feature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from feedseg.decode.logits import LogitsBuffer
from feedseg.errors import FeedsegError
from feedseg.settings import Sides
from feedseg.vision.windows import Placement

if TYPE_CHECKING:
    from feedseg.decode.refiners.base import PatchRefiner
    from feedseg.vision.encode import EncodedWindow


@dataclass(frozen=True, eq=False)
class Patches:
    """All patches of an image, window after window. What no refiner of a call asks for is None."""

    logits: Tensor  # cosines of patches and queries, (W, C, h, w)
    scale: float  # what cosines are multiplied by before a softmax
    positions: Tensor  # the patches' centres, (W, N, 2): row and column in pixels of the image as it was cut, fp32
    features: Tensor | None = None  # of the proxy, or the tower's final ones, (W, F, h, w), unit length, fp32
    class_token: Tensor | None = None  # cosines of each window's class token and the queries, (W, C)
    # the mean attention of all heads of the blocks before the last, on the tower's own grid, (W, h', w', h', w'), fp32
    self_attention: Tensor | None = None


class PatchesBuffer(LogitsBuffer):
    """The logits of an image's windows while they are being made, and what refiners of patches want of the windows."""

    def __init__(
        self,
        working: Sides,
        windows: int,
        refiners: Sequence[PatchRefiner] = (),
        scale: float = 1.0,
        self_attention: Callable[[Placement | None], Tensor] | None = None,
    ) -> None:
        """For so many windows, cut from the size `working`.

        `scale` is that of the logits, and `self_attention` makes a window's, (h', w', h', w'), if a refiner asks.
        """
        super().__init__(working, windows)
        self._refiners, self._scale = refiners, scale
        self._features: list[Tensor] = []
        self._class_token: list[Tensor] = []
        self._make_attention = self_attention
        self._self_attention: list[Tensor] = []

    def add_window(self, window: EncodedWindow, text: Tensor, logits: Tensor, placement: Placement | None) -> None:
        """The next window with its logits (C, h, w) for queries (C, E); `placement` as in `add`."""
        self.add(logits, placement)
        if any(refiner.needs_features for refiner in self._refiners):
            self._features.append(window.features)
        if any(refiner.needs_class_token for refiner in self._refiners):
            self._class_token.append(text.float() @ window.class_token)
        if any(refiner.needs_self_attention for refiner in self._refiners):
            if self._make_attention is None:
                raise ValueError("nothing was given to make the windows' attentions with")
            self._self_attention.append(self._make_attention(placement))

    @torch.inference_mode()
    def refined(self) -> LogitsBuffer:
        """The same after the refiners have changed the logits, one after the other.

        Raises:
            FeedsegError: one returns something else than logits of the same shape.
        """
        if not self._refiners:
            return self
        patches = Patches(
            self._logits,
            self._scale,
            self._positions(),
            torch.stack(self._features) if self._features else None,
            torch.stack(self._class_token) if self._class_token else None,
            torch.stack(self._self_attention) if self._self_attention else None,
        )
        for refiner in self._refiners:
            found = refiner.refine(patches)
            if not isinstance(found, Tensor) or found.shape != self._logits.shape:
                what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
                raise FeedsegError(
                    f"the refiner {type(refiner).__name__} returns {what}: expected were logits "
                    f"{tuple(self._logits.shape)}, (windows, queries, h, w)"
                )
            patches = replace(patches, logits=found)
        self._logits = patches.logits
        return self

    def _positions(self) -> Tensor:
        grid = (self._logits.shape[-2], self._logits.shape[-1])
        found = []
        for placement in self._placements:
            sides, corner = self._working, (0, 0)
            if placement is not None:  # where padding begins
                window, inside = placement.window, placement.inside
                sides, corner = placement.sides, (window.top - inside.top, window.left - inside.left)
            rows, columns = (
                (torch.arange(count, device=self._logits.device) + 0.5) * (side / count) + start
                for count, side, start in zip(grid, sides, corner, strict=True)
            )
            found.append(torch.cartesian_prod(rows, columns))
        return torch.stack(found).float()
