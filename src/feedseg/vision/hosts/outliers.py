"""Patches whose tokens stand out from all others, as those do in which a tower keeps what it knows of the whole image.

Shapes: B windows, N patches on a grid of h rows and w columns, D the tower's width. All in fp32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

NEIGHBOURS = 30
FRACTION = 0.05
LEAST_REACH = 1e-6  # of the mean reach: patches that are alike to rounding are no denser than that


def outliers(tokens: Tensor, neighbours: int = NEIGHBOURS, fraction: float = FRACTION) -> Tensor:
    """Which patches are a window's outliers: (B, N, D) to (B, N), boolean; none where all are alike.

    A patch's reach is its squared distance to the last of its nearest neighbours, and its local outlier factor the mean
    of its reach over theirs; above the quantile that leaves `fraction`, it is one. (In the original factor, Breunig et
    al. 2000, a distance is bounded by the neighbour's reach; the published code bounds it by the patch's own.) In a
    window of few patches the neighbours are half of them.
    """
    # the farthest of all others is a distance that two patches share, and which of the two stands out is rounding
    count = min(neighbours, (tokens.shape[1] - 1) // 2)
    if count < 1:
        return torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    tokens = tokens.float()
    # not from products, whose differences are lost in rounding where patches are alike
    distances = torch.cdist(tokens, tokens, compute_mode="donot_use_mm_for_euclid_dist").square()
    distances.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    nearest, indices = distances.topk(count, dim=-1, largest=False)
    reach = nearest[..., -1]
    least = LEAST_REACH * reach.mean(dim=-1, keepdim=True) + torch.finfo(torch.float32).tiny
    reach = reach.clamp(min=least)
    of_neighbours = reach.gather(-1, indices.flatten(1)).view_as(indices)
    factor = (reach[..., None] / of_neighbours).mean(dim=-1)
    return factor > factor.quantile(1 - fraction, dim=-1, keepdim=True)


def repaired(tokens: Tensor, wrong: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens with the wrong ones replaced by the mean of their right ones among eight neighbours: (B, N, D), fp32.

    `wrong` is (B, N). One without a right neighbour stays.
    """
    tokens = tokens.float()
    right = (~wrong).float()[..., None]
    # both are means of nine, of what lies beyond the edge too: their ratio is that of the sums
    sums, counts = (
        avg_pool2d(each.transpose(1, 2).unflatten(-1, grid), 3, stride=1, padding=1).flatten(2).transpose(1, 2)
        for each in (tokens * right, right)
    )
    return torch.where(wrong[..., None] & (counts > 0), sums / counts.clamp(min=0.1), tokens)
