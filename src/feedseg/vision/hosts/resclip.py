"""ResCLIP's residual attention: what the middle blocks attend to, blended into NACLIP's attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.hosts.base import Host
from feedseg.vision.hosts.depth import check_depth, layer
from feedseg.vision.hosts.naclip import NEIGHBOUR_STD, neighbour_attention
from feedseg.vision.towers.base import TowerOutput

MIDDLE = (6, 7, 8, 9)  # of twelve blocks
BLEND = 0.4


@dataclass(frozen=True)
class ResClip(Host):
    """2·[(1 − λ)·softmax(k kᵀ / √d + Gaussian) + λ R], R the mean attention of the middle blocks, head by head.

    λ is `blend`; the paper has one for every benchmark, 0.2 to 0.6. Residual and feed-forward are dropped. Feedback
    corrects the blend. Without the paper's own feedback of labels, whose place that takes.
    """

    blend: float = BLEND
    std: float = NEIGHBOUR_STD  # of the Gaussian, in patches

    name = "resclip"
    title = "NACLIP's with the middle blocks'"
    citation = "Yang et al., CVPR 2025, arXiv 2411.15851"
    matrices = (1.0, 4.9)
    row_sum = 2.0
    settings = Settings(window=224, stride=112)
    protocol = "naclip"

    def __post_init__(self) -> None:
        if not 0 <= self.blend <= 1:
            raise ValueError(f"the blend is a fraction, 0 to 1, not {self.blend}")

    def tapped(self, blocks: int) -> tuple[int, ...]:
        check_depth(self.name, blocks)
        return tuple(sorted({layer(block, blocks) for block in MIDDLE}))

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last, blocks = output.last, len(output.tower.blocks)
        total = torch.zeros((), device=last.tokens.device)
        for block in self.tapped(blocks):
            total = total + output.block(block).attention()[:, :, last.prefix :].float()
        middle = total / len(self.tapped(blocks))
        own = neighbour_attention(last.key, output.grid, last.prefix, self.std)
        return (self.row_sum * torch.lerp(own.float(), middle, self.blend)).to(own.dtype)


HOST = ResClip()
