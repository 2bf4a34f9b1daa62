"""CLIPer without its diffusion model: the attentions of all earlier blocks, accumulated, instead of the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.hosts.base import Host
from feedseg.vision.hosts.depth import check_depth
from feedseg.vision.towers.base import TowerOutput

LEAST_LEFT = 1e-4  # of a row that sums to one: less beyond the mean is rounding


def accumulated_attention(attentions: Iterable[Tensor], prefix: int = 0) -> Tensor:
    """The sum of attentions, made doubly stochastic once, symmetric, and less its mean: (B, H, M, M) to (B, H, N, M).

    Columns, then rows are divided by their sums; the mean with its transpose is taken; of each entry the mean of its
    column is subtracted, and what is below zero dropped; rows are divided by their sums. In fp32, since a difference of
    like numbers is taken; the result has the type of the attentions. Where all tokens look alike nothing exceeds the
    mean, and the published code divides zero by zero; such a row keeps every entry.
    """
    iterator = iter(attentions)
    first = next(iterator)
    total = first.float()
    for attention in iterator:
        total = total + attention
    total = total / total.sum(dim=-2, keepdim=True)
    total /= total.sum(dim=-1, keepdim=True)
    total = (total + total.transpose(-1, -2)) / 2
    rows = total[..., prefix:, :]
    beyond = (rows - total.mean(dim=-2, keepdim=True)).clamp_(min=0)
    beyond = beyond.where(beyond.sum(dim=-1, keepdim=True) > LEAST_LEFT, rows)
    return (beyond / beyond.sum(dim=-1, keepdim=True)).to(first.dtype)


@dataclass(frozen=True)
class Cliper(Host):
    """What the earlier blocks attend to, in sum; residual and feed-forward dropped.

    Feedback corrects this accumulated attention, the only one that is applied to the last block's values. Without the
    diffusion model that refines the published scores, and without the scores of earlier blocks that it adds.
    """

    name = "cliper"
    title = "the earlier blocks' attentions"
    citation = "Sun et al., 2024, arXiv 2411.13836"
    matrices = (1.0, 5.4)
    settings = Settings(window=224, stride=112)
    protocol = "naclip"

    def tapped(self, blocks: int) -> tuple[int, ...]:
        check_depth(self.name, blocks)
        return tuple(range(1, blocks))

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        earlier = (output.block(block).attention() for block in self.tapped(len(output.tower.blocks)))
        return accumulated_attention(earlier, output.last.prefix)


HOST = Cliper()
