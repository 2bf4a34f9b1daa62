"""CorrCLIP's regions as whole matrices of patches, for windows of every size and number: what can be traced.

The same mathematics as in `vision.regions`, which works with as many regions as there are. Here a region is called by
the number of its first patch. Shapes: B windows, N patches on a grid of h rows and w columns, F the width of a feature.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.vision.hosts.corrclip import CorrClip
from feedseg.vision.towers.base import TowerOutput


class TracedCorrClip(CorrClip):
    """With regions that the proxy makes; those of one's own are no part of a graph."""

    def _regions(self, output: TowerOutput, features: Tensor) -> Tensor:
        if self.regions is not None:
            raise FeedsegError("the host corrclip with regions of your own cannot be exported: leave regions out")
        unit = normalize(features.double(), dim=1).flatten(2).transpose(1, 2)
        grid = (features.shape[-2], features.shape[-1])
        alike = beside(grid) & (unit @ unit.transpose(-1, -2) >= self.alike)
        inside = alike.any(dim=-1)
        first = components(alike)
        members = (first[:, None] == torch.arange(first.shape[-1])[:, None]) & inside[:, None]  # regions × patches
        exact = normalize(features.flatten(2).transpose(1, 2).float(), dim=-1).double()
        means = normalize(members.double() @ exact, dim=-1)
        joined = components(means @ means.transpose(-1, -2) >= 1 - self.reach)
        return torch.where(inside, joined.gather(1, first), -1).unflatten(-1, grid)

    def _numbered(self, regions: Tensor) -> tuple[Tensor, int]:
        flat = regions.flatten(1)
        place = torch.arange(flat.shape[1])
        again = ((flat[:, :, None] == flat[:, None]) & (place[:, None] > place)).any(dim=-1)
        numbers = ((flat[:, :, None] > flat[:, None]) & ~again[:, None]).long().sum(dim=-1)
        count = cast(int, (~again).long().sum(dim=-1).max().item())
        torch._check(count >= 1)  # which a tracer cannot know
        return numbers.view_as(regions), count


def beside(grid: tuple[int, int]) -> Tensor:
    """Which patches lie side by side or one above the other: (N, N)."""
    row, column = (one.flatten() for one in torch.meshgrid(*map(torch.arange, grid), indexing="ij"))
    return (row[:, None] - row).abs() + (column[:, None] - column).abs() == 1


def components(links: Tensor) -> Tensor:
    """The least number that links lead to from each, themselves included: (B, N, N), symmetric, to (B, N)."""
    count = links.shape[-1]
    start = torch.arange(count).expand(links.shape[0], -1).clone()

    def going(least: Tensor, changed: Tensor) -> Tensor:
        return changed.clone()

    def step(least: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
        lower = torch.where(links, least[:, None], count).amin(dim=-1).minimum(least)
        lower = lower.minimum(lower.gather(1, lower))
        return lower, (lower != least).any()

    return while_loop(going, step, (start, torch.ones((), dtype=torch.bool)))[0]
