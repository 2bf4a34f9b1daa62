"""Sums of exponentials of bilinear functions, interpolated from a few Chebyshev nodes of a tile.

G(s, t) = Σ exp(d(s, t)) with every d bilinear on the tile. Along one direction its n-th derivative is Σ δⁿ exp(d), δ
being how much d changes from one side to the other; so interpolation from n Chebyshev nodes is wrong by at most
Σ exp(max d) |δ|ⁿ / (2²ⁿ⁻¹ n!), here the *bound*. In both directions, one after the other, it is at most (1 + Λ) times
as much, where Lebesgue's constant Λ is below 2.5 for up to 12 nodes. All is computed in fp32, whose rounding adds some
1e-7 of G.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, factorial, log, pi

import torch
from torch import Tensor

TOLERANCE = 5e-7  # what the bound has to be below
NEGLIGIBLE = 1e-7  # a sum that may be left out
NODES = (1, 2, 3, 4, 6, 8, 12)  # along each direction
POWERS = (0, 4, 8, 12)  # of |δ|, whose moments are computed; others lie between, since a moment's log is convex
_LIMITS = tuple((n, log(TOLERANCE * 2.0 ** (2 * n - 1) * factorial(n))) for n in NODES)
_LEAST = 1e-30  # a moment that is nothing


def node_counts(moments: list[Tensor]) -> Tensor:
    """The smallest number of nodes for which the bound is below `TOLERANCE`, (T,) int64.

    It is 0 where more than `NODES` are needed, and -1 where the sum itself is negligible.

    Args:
        moments: Σ exp(max d) |δ|ⁿ for the n of `POWERS`, (T,) each.
    """
    logs = [moment.clamp(min=_LEAST).log_() for moment in moments]
    count = torch.zeros(moments[0].shape, dtype=torch.int64, device=moments[0].device)
    for n, limit in reversed(_LIMITS):
        below, part = divmod(n, 4)
        bound = torch.lerp(logs[below], logs[below + 1], part / 4) if part else logs[below]
        count.masked_fill_(bound <= limit, n)
    return count.masked_fill_(moments[0] <= NEGLIGIBLE, -1)


@lru_cache(maxsize=64)
def corner_weights(count: int, device: torch.device) -> Tensor:
    """What the four corners of a tile count at its n × n nodes, top to bottom and left to right: (n², 4)."""
    right = torch.tensor([(1 + cos(angle)) / 2 for angle in _angles(count)], dtype=torch.float64)
    sides = torch.stack((1 - right, right), dim=1)
    return torch.einsum("ya,xb->yxab", sides, sides).reshape(count * count, 4).float().to(device)


def evaluation(points: Tensor, count: int) -> Tensor:
    """What turns values at n nodes into the polynomial's at points from -1 to 1, (P,): (P, n), fp32."""
    angles, degrees = _angles(count), torch.arange(count, device=points.device)
    series = [[cos(degree * angle) * (2 if degree else 1) / count for angle in angles] for degree in range(count)]
    values = (points.double().acos()[:, None] * degrees).cos()  # of the Chebyshev polynomials
    return (values @ torch.tensor(series, dtype=torch.float64, device=points.device)).float()


def _angles(count: int) -> list[float]:
    return [(2 * index + 1) * pi / (2 * count) for index in range(count)]
