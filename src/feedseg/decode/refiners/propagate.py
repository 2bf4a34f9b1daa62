"""Labels spread over patches that look alike, of all windows together: LPOSS (Stojnić et al., CVPR 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from feedseg.decode.patches import Patches
from feedseg.decode.refiners.base import PatchRefiner
from feedseg.errors import FeedsegError, checked_count, checked_number
from feedseg.vision.ops import accurate_dtype

BLOCK_ELEMENTS = 1 << 22  # similarities that exist at a time
LEAST_PROBABILITY = 1e-9  # of which a logarithm is taken
DENSE_PATCHES = 2048  # up to so many a dense product is the faster one


@dataclass(frozen=True)
class Propagate(PatchRefiner):
    """y of (I − alpha·S) y = (1 − alpha)·x, x what the patches say themselves and S how much they resemble each other.

    w_ij = max(cos(f_i, f_j), 0)^power · exp(−decay · ‖i − j‖) for the `nearest` patches j of i by the cosine, itself
    among them; f are the features of a proxy, or where the host uses none the tower's own, and ‖i − j‖ is in pixels of
    the image as it was cut. W + Wᵀ, without its diagonal, divided by the roots of its sums over rows and over columns
    is S. The system is solved by `steps` steps of conjugate gradients.

    As published x are the logits. With `probabilities` they are softmaxes over the words: a sure patch then counts more
    than a doubtful one, and the result's logarithm takes the place of the logits.
    """

    alpha: float = 0.95
    power: float = 3.0
    decay: float = 0.01
    nearest: int = 400
    steps: int = 10
    probabilities: bool = False

    needs_features: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= checked_number(self.alpha, "alpha") < 1:
            raise FeedsegError(f"alpha is from 0 to below 1, not {self.alpha}")
        for name in ("power", "decay"):
            if checked_number(getattr(self, name), name) < 0:
                raise FeedsegError(f"{name} is no negative number, not {getattr(self, name)}")
        checked_count(self.nearest, "the number of nearest patches", most=1 << 20)
        checked_count(self.steps, "the number of steps", most=1 << 20)

    def refine(self, patches: Patches) -> Tensor:
        assert patches.features is not None
        windows, queries, height, width = patches.logits.shape
        own = patches.logits
        if self.probabilities:
            own = (own * patches.scale).softmax(dim=1)
        vertices = own.flatten(2).transpose(1, 2).flatten(0, 1)  # (W·N, C)
        features = patches.features.flatten(2).transpose(1, 2).flatten(0, 1)
        graph = self.graph(features, patches.positions.flatten(0, 1))
        spread = conjugate_gradients(graph, vertices * (1 - self.alpha), self.alpha, self.steps)
        found = spread.view(windows, height * width, queries).transpose(1, 2).unflatten(2, (height, width))
        return found.clamp(min=LEAST_PROBABILITY).log() / patches.scale if self.probabilities else found

    def graph(self, features: Tensor, positions: Tensor) -> Tensor:
        """S of patches with unit features (N, F) at positions (N, 2), (N, N), sparse where it is large."""
        count, device = len(features), features.device
        nearest = min(self.nearest, count)
        columns = torch.empty(count, nearest, dtype=torch.long, device=device)
        weights = torch.empty(count, nearest, device=device)
        step = max(1, BLOCK_ELEMENTS // count)
        for start in range(0, count, step):
            rows = slice(start, start + step)
            cosines, found = (features[rows] @ features.T).topk(nearest, dim=-1)
            distance = (positions[rows, None] - positions[found]).square_().sum(dim=-1).sqrt_()
            weights[rows] = cosines.clamp_(min=0).pow_(self.power).mul_(distance.mul_(-self.decay).exp_())
            columns[rows] = found
        rows = torch.arange(count, device=device)[:, None].expand(-1, nearest)
        weights.masked_fill_(rows == columns, 0)
        sums = weights.sum(dim=1).index_add_(0, columns.flatten(), weights.flatten())
        root = sums.clamp(min=torch.finfo(sums.dtype).tiny).rsqrt()
        weights *= root[:, None] * root[columns]
        if count <= DENSE_PATCHES:
            half = torch.zeros(count, count, device=device).scatter_(1, columns, weights)
            return half + half.T
        pairs = torch.stack((rows.flatten(), columns.flatten()))
        both = torch.cat((pairs, pairs.flip(0)), dim=1)
        values = weights.flatten().repeat(2)
        return torch.sparse_coo_tensor(both, values, (count, count), check_invariants=False).coalesce()


class Linear(Protocol):
    """What is multiplied with vectors alone: a matrix (N, N), or something that stands for one."""

    def __matmul__(self, vectors: Tensor, /) -> Tensor: ...


def conjugate_gradients(graph: Linear, target: Tensor, alpha: float, steps: int) -> Tensor:
    """What so many steps find of the y with (I − alpha·graph) y = target, (N, C), column by column, from zero on.

    A column that is solved stays as it is.
    """
    exact = accurate_dtype(target.device)
    found = torch.zeros_like(target)
    rest = target.clone()
    direction = rest.clone()
    length = rest.square().sum(dim=0, dtype=exact)
    for _ in range(steps):
        spread = direction - alpha * (graph @ direction)
        curvature = (direction * spread).sum(dim=0, dtype=exact)
        stride = ratio(length, curvature).to(target.dtype)
        found += stride * direction
        rest -= stride * spread
        before, length = length, rest.square().sum(dim=0, dtype=exact)
        direction = rest + ratio(length, before).to(target.dtype) * direction
    return found


def ratio(above: Tensor, below: Tensor) -> Tensor:
    """above / below, and 0 where that is 0."""
    return torch.where(below > 0, above / below.clamp(min=torch.finfo(below.dtype).tiny), torch.zeros_like(above))


REFINER = Propagate()
