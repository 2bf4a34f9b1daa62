"""Words whose map the tower's own attention does not confirm vanish from an image, as FreeCP prunes its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.decode.patches import Patches
from feedseg.decode.refiners.base import PatchRefiner
from feedseg.errors import FeedsegError
from feedseg.vision.regions import alike_neighbours

ROUNDS = 3
OF_LARGEST = 0.4
LEAST = -1.0  # a cosine that no other is below


def transitions(attention: Tensor, rounds: int = ROUNDS) -> Tensor:
    """How much of a map each patch takes from each other: (N, N) to (N, N), fp32; rows sum to about one.

    The attention, columns and then rows divided by their sums so many times, the mean with its transpose, squared.
    """
    found = attention.float()
    for _ in range(rounds):
        found = found / found.sum(dim=0, keepdim=True)
        found = found / found.sum(dim=1, keepdim=True)
    found = (found + found.T) / 2
    return found @ found


def boxes(bright: Tensor) -> Tensor:
    """The patches inside the upright rectangles around connected bright ones: (h, w), bool, to (h, w)."""
    # side by side and one above the other; a bright patch alone is a rectangle of its own
    numbers = alike_neighbours(torch.stack((bright, ~bright)).float(), 0.5).masked_fill(~bright, -1)
    inside = bright.clone()
    for number in numbers.unique().tolist():
        if number >= 0:
            rows, columns = (numbers == number).nonzero().T
            inside[int(rows.min()) : int(rows.max()) + 1, int(columns.min()) : int(columns.max()) + 1] = True
    return inside


@dataclass(frozen=True)
class FreeCp(PatchRefiner):
    """Leaves out each query whose map P and its refinement M' overlap too little: ΣPM' / (ΣP + ΣM') at most `bound`.

    P are the softmaxes of the patches over the queries, M is P stretched from 0 to 1 in every window, and M' is what
    the tower's mean attention makes of M inside the rectangles around what is above 0.4. Sums are over all windows. The
    query with the largest overlap stays. Published bounds: VOC and Object 0.15, Context and Cityscapes 0.1, Stuff and
    ADE 0.05. Left out: words whose maps overlap each other are not decided anew on a crop.
    """

    bound: float = 0.15

    needs_self_attention: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.bound <= 1:
            raise FeedsegError(f"the bound of a map's overlap is from 0 to 1, not {self.bound}")

    def refine(self, patches: Patches) -> Tensor:
        attention = patches.self_attention
        if attention is None:
            raise ValueError("free-cp needs the windows' self-attention")
        probabilities = (patches.logits * patches.scale).softmax(dim=1)
        maps = interpolate(probabilities, size=attention.shape[-2:], mode="bilinear", align_corners=False)
        both, total = (maps.new_zeros(maps.shape[1]) for _ in range(2))
        for of_window, shared in zip(maps, attention, strict=True):
            refined = self._refined(of_window, shared)
            both += (of_window * refined).sum(dim=(1, 2))
            total += of_window.sum(dim=(1, 2)) + refined.sum(dim=(1, 2))
        overlap = both / total.clamp(min=torch.finfo(total.dtype).tiny)
        stays = overlap > self.bound
        stays[overlap.argmax()] = True
        return patches.logits.masked_fill(~stays[:, None, None], LEAST)

    def _refined(self, maps: Tensor, attention: Tensor) -> Tensor:
        """M', (C, h, w), of one window's P."""
        low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
        stretched = (maps - low) / (high - low).clamp(min=torch.finfo(maps.dtype).tiny)
        inside = torch.stack([boxes(one > OF_LARGEST) for one in stretched])
        given = (stretched * inside).flatten(1)
        return (given @ transitions(attention.flatten(2).flatten(0, 1)).T).view_as(maps)


REFINER = FreeCp()
