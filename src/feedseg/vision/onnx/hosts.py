"""The hosts whose own code cannot be traced, by formulas that can: no decomposition, no decision, every size.

Shapes: B windows, H heads, N patches, D the tower's width, d that of a head.
"""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from feedseg.vision.hosts.base import Host
from feedseg.vision.hosts.corrclip import CorrClip
from feedseg.vision.hosts.outliers import FRACTION, LEAST_REACH, NEIGHBOURS
from feedseg.vision.hosts.pearl import Pearl, aligned_attention, regular_product
from feedseg.vision.hosts.sc_clip import ScClip
from feedseg.vision.onnx.regions import TracedCorrClip
from feedseg.vision.towers.base import TowerOutput

# Newton and Schulz's iteration for the polar factor. The first steps let a singular value grow by 3.4 and leave it
# between 0.6 and 1.3 for good (Jordan et al. 2024); the others, x (3 - x²) / 2, bring it to one.
GROWTH, GROWING, SETTLING = (3.4445, -4.7750, 2.0315), 20, 6


def traceable(host: Host) -> Host:
    """The same host, or one with its constants that can be traced."""
    kind = TRACED.get(type(host))
    return host if kind is None else kind(**{one.name: getattr(host, one.name) for one in fields(host)})


def polar_factor(matrix: Tensor) -> Tensor:
    """The orthogonal matrix nearest to a square one: (…, d, d) to the same, where its condition is below 1e10."""
    found = matrix / matrix.abs().amax(dim=(-2, -1), keepdim=True)  # whose squares might be too small a number
    found = found / found.square().sum(dim=(-2, -1), keepdim=True).sqrt()
    linear, cubic, quintic = GROWTH
    for _ in range(GROWING):
        square = found @ found.transpose(-1, -2)
        found = linear * found + (cubic * square + quintic * (square @ square)) @ found
    for _ in range(SETTLING):
        found = 1.5 * found - 0.5 * (found @ found.transpose(-1, -2) @ found)
    return found


class TracedPearl(Pearl):
    """Without a singular value decomposition, which ONNX lacks."""

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last = output.last
        return aligned_attention(last.query, last.key, last.prefix, self.key_weight, polar_rotation)


def polar_rotation(key: Tensor, query: Tensor) -> Tensor:
    """See `pearl.rotation`."""
    return polar_factor(regular_product(key, query))


class TracedScClip(ScClip):
    """With as many neighbours as there are patches, of which the nearest count."""

    def _outliers(self, patches: Tensor) -> Tensor:
        return traced_outliers(patches)


def traced_outliers(tokens: Tensor) -> Tensor:
    """See `outliers.outliers`: (B, N, D) to (B, N)."""
    exact = tokens.double()
    exact = exact - exact.mean(dim=1, keepdim=True)  # which leaves products few digits to lose
    squares = exact.square().sum(dim=-1)
    distances = squares[:, :, None] + squares[:, None] - 2 * exact @ exact.transpose(-1, -2)
    count = tokens.shape[1]
    distances = distances.clamp(min=0).float().masked_fill(torch.eye(count, dtype=torch.bool), torch.inf)
    nearest, indices = distances.sort(dim=-1)
    patches = torch.scalar_tensor(count, dtype=torch.int64)
    neighbours = ((patches - 1) // 2).clamp(max=NEIGHBOURS)
    reach = nearest.index_select(-1, (neighbours - 1).reshape(1))[..., 0]
    reach = reach.clamp(min=LEAST_REACH * reach.mean(dim=-1, keepdim=True) + torch.finfo(torch.float32).tiny)
    of_neighbours = reach[:, None].expand(-1, count, -1).gather(-1, indices)
    counts = torch.arange(count) < neighbours
    factor = (reach[..., None] / of_neighbours * counts).sum(dim=-1) / neighbours
    place = (patches - 1) * (1 - FRACTION)
    below, above = (
        factor.sort(dim=-1).values.index_select(-1, one.long().reshape(1)) for one in (place.floor(), place.ceil())
    )
    return factor > torch.lerp(below, above, (place - place.floor()).to(below.dtype))


TRACED: dict[type[Host], type[Host]] = {Pearl: TracedPearl, ScClip: TracedScClip, CorrClip: TracedCorrClip}
