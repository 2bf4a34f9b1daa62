"""Regions on a grid of patches: of an image's pixels, or of what a proxy finds alike; and merging those that are alike.

Region numbers are whole; a negative one is no region. N patches, F the width of a feature.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.vision.ops import accurate_dtype

Regions = Callable[[np.ndarray], np.ndarray]  # from pixels (height, width, 3), uint8, to region numbers (height, width)


def checked_regions(regions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The same as an array. Raises FeedsegError unless it holds whole numbers, (height, width)."""
    found = np.asarray(regions)
    if found.shape != shape or found.dtype.kind not in "iu":
        raise FeedsegError(f"regions are whole numbers {shape}, (height, width), not {found.dtype} {found.shape}")
    return found


def of_patches(regions: Tensor, grid: tuple[int, int]) -> Tensor:
    """The region at every patch's centre: of region numbers (…, height, width), or of those on another grid.

    (…, h, w). A centre between two pixels is in the second.
    """
    rows, columns = (
        (2 * torch.arange(count, device=regions.device) + 1) * side // (2 * count)
        for count, side in zip(grid, regions.shape[-2:], strict=True)
    )
    return regions[..., rows, :][..., columns]


def alike_neighbours(features: Tensor, cosine: float) -> Tensor:
    """Regions in which every patch is alike to a neighbour: (F, h, w) to (h, w), numbered from 0.

    Alike are patches side by side or one above the other whose features' cosine is at least that. A patch that is alike
    to none of its neighbours is in no region, -1.
    """
    unit = normalize(features.to(accurate_dtype(features.device)), dim=0)
    numbers = torch.arange(unit[0].numel(), device=unit.device).view_as(unit[0])
    links = []
    for axis in (0, 1):
        count = unit.shape[1 + axis] - 1
        here, there = (unit.narrow(1 + axis, start, count) for start in (1, 0))
        alike = (here * there).sum(dim=0) >= cosine
        links.append(torch.stack([numbers.narrow(axis, start, count)[alike] for start in (1, 0)]))
    pairs = torch.cat(links, dim=1)
    alone = torch.ones_like(numbers.flatten(), dtype=torch.bool)
    alone[pairs.flatten()] = False
    found = connected(pairs, numbers.numel())
    found[~alone] = found[~alone].unique(return_inverse=True)[1]
    return found.masked_fill(alone, -1).view_as(numbers)


def merged(regions: Tensor, features: Tensor, reach: float) -> Tensor:
    """Regions that look alike, merged and numbered from 0: (N,) to (N,); those of no region become -1.

    Two are alike where the cosine of their mean features is at least 1 − `reach`, and what is alike to one of them
    belongs to both: DBSCAN with single points as clusters (Ester et al., KDD 1996).

    Args:
        regions: a region number for each of N patches.
        features: of unit length, (N, F).
        reach: how far below 1 the cosine may be.
    """
    inside = regions >= 0
    found = torch.full_like(regions, -1)
    if not bool(inside.any()):
        return found
    _, index = regions[inside].unique(return_inverse=True)
    exact = features[inside].to(accurate_dtype(features.device))
    sums = exact.new_zeros(int(index.max()) + 1, exact.shape[-1]).index_add_(0, index, exact)
    means = normalize(sums, dim=-1)  # the sums' directions are the means'
    alike = (means @ means.T >= 1 - reach).nonzero().T
    found[inside] = connected(alike, len(means)).unique(return_inverse=True)[1][index]
    return found


def connected(links: Tensor, count: int) -> Tensor:
    """The least number that links lead to from each of `count` numbers from 0: pairs (2, L) to (count,).

    Links go both ways. Numbers with the same result are a component.
    """
    here, there = torch.cat((links, links.flip(0)), dim=1)
    least = torch.arange(count, device=links.device)
    while True:
        # as in FastSV (Zhang et al. 2020): what a number leads to is told to it, and to what it led to before
        beyond = least[least]
        lower = least.scatter_reduce(0, least[here], beyond[there], "amin")
        lower = lower.scatter_reduce(0, here, beyond[there], "amin").minimum(beyond)
        if torch.equal(lower, least):
            return least
        least = lower
