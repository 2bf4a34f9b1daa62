"""GEM: every projection of a block with itself, over the last blocks, in a stream of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.settings import Settings
from feedseg.vision.feedback.base import HostAttention, attend
from feedseg.vision.hosts.attention import softmax
from feedseg.vision.hosts.base import Host, Readout
from feedseg.vision.hosts.depth import check_depth
from feedseg.vision.towers.base import Block, TowerOutput

GEM_BLOCKS = 6


def generalised_attention(projections: tuple[Tensor, ...], temperature: Tensor, prefix: int = 0) -> Tensor:
    """The mean of the self-self attentions of some projections: (B, H, M, d) each to (B, H, N, M).

    Of each, s of unit length becomes softmax(t·s sᵀ) s, again of unit length, and attends by softmax(t·s sᵀ).

    Args:
        projections: queries, keys and values, say.
        temperature: t, (B, 1, 1, 1).
        prefix: tokens that lead the patches.
    """
    total = None
    for projection in projections:
        unit = normalize(projection, dim=-1)
        unit = normalize(softmax(unit @ unit.transpose(-1, -2) * temperature) @ unit, dim=-1)
        attention = softmax(unit[:, :, prefix:] @ unit.transpose(-1, -2) * temperature)
        total = attention if total is None else total + attention
    assert total is not None
    return total / len(projections)


@dataclass(frozen=True)
class Gem(Host):
    """Queries, keys and values each with themselves; the patches gather that over the last blocks, no feed-forward.

    What they have gathered before the last block is the residual that it is added to; a tower without residual is read
    from the last block alone. Feedback corrects the last block's attention: the stream up to there is made of many
    values, and only those of the last block are what the tower's text was aligned with.
    """

    last_blocks: int = GEM_BLOCKS  # half of a tower that has less than twelve

    name = "gem"
    title = "q·qᵀ, k·kᵀ, v·vᵀ over the last blocks"
    citation = "Bousselham et al., CVPR 2024, arXiv 2312.00878"
    matrices = (1.0, 4.2)
    keeps_residual = True
    settings = Settings(window=224, stride=112)
    protocol = "naclip"

    def tapped(self, blocks: int) -> tuple[int, ...]:
        check_depth(self.name, blocks)
        first = blocks - min(self.last_blocks, blocks // 2) + 1
        return tuple(range(first, blocks))

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        return self._of_block(output.last)

    def read_out(self, output: TowerOutput, features: Tensor | None, keeps_residual: bool) -> Readout:
        last, tower = output.last, output.tower
        attention = HostAttention(self._of_block(last), last.values, last.prefix, self.row_sum, output.grid)
        if not keeps_residual:
            return Readout(attention, tower.project, depends_on_patch=False)
        stream = self._stream(output)

        def project(attended: Tensor, stream: Tensor) -> Tensor:
            return tower.join(tower.add_attended(last.index, stream, attended)).float()

        return Readout(attention, partial(project, stream=stream), depends_on_patch=True)

    def _stream(self, output: TowerOutput) -> Tensor:
        """What the patches have gathered before the last block, (B, N, D)."""
        taps = self.tapped(len(output.tower.blocks))
        stream = output.block(taps[0]).patches if taps else output.last.patches
        for one in map(output.block, taps):
            attended = attend(self._of_block(one), one.values)
            stream = output.tower.add_attended(one.index, stream, attended)
        return stream

    def _of_block(self, block: Block) -> Tensor:
        normed = block.tower.normed(block.index, block.tokens[:, block.skipped :])
        width = block.query.shape[-1]
        length = torch.linalg.vector_norm(normed, dim=-1, dtype=torch.float32).mean(dim=-1)
        temperature = (length * width**-0.5)[:, None, None, None].to(normed.dtype)
        return generalised_attention((block.query, block.key, block.values_by_head), temperature, block.prefix)


HOST = Gem()
