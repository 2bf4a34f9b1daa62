"""SC-CLIP: outliers repaired, patches brought together by what the middle of the tower finds alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.settings import Settings
from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.hosts.attention import self_self_attention
from feedseg.vision.hosts.base import Host, Readout
from feedseg.vision.hosts.depth import check_depth, layer
from feedseg.vision.hosts.outliers import outliers, repaired
from feedseg.vision.towers.base import Block, TowerOutput

# Blocks of twelve: what is alike, before and after the last attention, and the first and last of the second reading.
ALIKE_BEFORE, ALIKE_AFTER, FIRST, LAST = 9, 4, 4, 10
THRESHOLD = 0.4
SHARPNESS = 3.0
CLASS_TOKEN = 0.3


def cosines(tokens: Tensor) -> Tensor:
    """Cosines of every two patches: (B, N, D) to (B, N, N), fp32."""
    unit = normalize(tokens.float(), dim=-1)
    return unit @ unit.transpose(-1, -2)


def aggregation(similarity: Tensor, threshold: float = THRESHOLD) -> Tensor:
    """Cosines of at least the threshold, rows divided by their sums: (B, N, N). A patch always has itself."""
    kept = similarity.masked_fill(similarity < threshold, 0).masked_fill_(_itself(similarity), 1)
    return kept / kept.sum(dim=-1, keepdim=True)


def similarity_attention(similarity: Tensor, key: Tensor, sharpness: float = SHARPNESS) -> Tensor:
    """The mean of two softmaxes, of cosines above their mean and of k kᵀ / √d: (B, H, N, N).

    Args:
        similarity: cosines S, (B, N, N), fp32, of which softmax(sharpness·(S − mean S)) is taken.
        key: of the patches, (B, H, N, d).
    """
    scores = (similarity - similarity.mean(dim=(-2, -1), keepdim=True)) * sharpness
    dropped = (scores < 0) & ~_itself(similarity)  # a patch is like itself, whatever rounding says
    alike = scores.masked_fill_(dropped, -torch.inf).softmax(dim=-1).to(key.dtype)
    return (alike[:, None] + self_self_attention(key)) / 2


def _itself(similarity: Tensor) -> Tensor:
    """The diagonal, (N, N), boolean."""
    return torch.eye(similarity.shape[-1], dtype=torch.bool, device=similarity.device)


@dataclass(frozen=True)
class ScClip(Host):
    """Two readings by the last block, of repaired tokens and of the sum of earlier ones, brought together and added.

    Feedback corrects the attention of both readings: they are one attention with twice the heads, over the values of
    both side by side, and which patches mean the same holds for either. Its first predictions come from their sum. What
    brings patches together before the last block and after its output projection is not corrected: it is part of the
    values, and of the projection.

    The class token is only added, with a weight of `class_token_weight`, and left out where a tower's patches see none.
    """

    threshold: float = THRESHOLD
    sharpness: float = SHARPNESS
    class_token_weight: float = CLASS_TOKEN

    name = "sc-clip"
    title = "k·kᵀ and similarities of the middle blocks"
    citation = "Bai et al., 2024, arXiv 2411.15869"
    matrices = (1.0, 5.2)
    settings = Settings(window=224, stride=112)
    protocol = "sclip"

    def tapped(self, blocks: int) -> tuple[int, ...]:
        check_depth(self.name, blocks)
        read = {layer(ALIKE_BEFORE, blocks), layer(ALIKE_AFTER, blocks), *self._summed(blocks)}
        return tuple(sorted({block + 1 for block in read} - {blocks}))  # what a block makes enters the next one

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        """Of both readings, heads after heads: (1, 2 H, N, N)."""
        return self.read_out(output, features, keeps_residual=False).attention.weights  # pyright: ignore[reportReturnType]

    def read_out(self, output: TowerOutput, features: Tensor | None, keeps_residual: bool) -> Readout:
        if keeps_residual:
            raise FeedsegError(f"the host {self.name} adds two readings and has no place for the last block's residual")
        blocks, prefix, last = len(output.tower.blocks), output.tower.prefix, output.last
        sees = prefix > output.skipped  # a class token; without one the first token is a patch
        wrong = self._outliers(last.patches)
        alike = cosines(repaired(after(output, layer(ALIKE_BEFORE, blocks))[:, prefix:], wrong, output.grid))
        together = aggregation(alike, self.threshold) @ repaired(last.patches, wrong, output.grid)
        summed = torch.stack([after(output, block).float() for block in self._summed(blocks)]).sum(dim=0)
        readings = [
            Block(output.tower, last.index, tokens.to(last.tokens.dtype)) for tokens in (together, summed[:, prefix:])
        ]
        weights = torch.cat([similarity_attention(alike, one.key, self.sharpness) for one in readings], dim=1)
        values = torch.cat([one.values for one in readings], dim=-1)
        project = partial(
            self._project,
            output,
            aggregation(cosines(after(output, layer(ALIKE_AFTER, blocks))[:, prefix:]), self.threshold),
            (last.tokens[:, :1] + summed[:, :1]) * (self.class_token_weight if sees else 0),
        )
        attention = HostAttention(weights, values, 0, self.row_sum, output.grid)
        return Readout(attention, project, depends_on_patch=True)

    def _outliers(self, patches: Tensor) -> Tensor:
        return outliers(patches)

    def _project(self, output: TowerOutput, together: Tensor, added: Tensor, attended: Tensor) -> Tensor:
        """Both readings behind the output projection, added, brought together, and projected into the joint space."""
        one, other = map(output.tower.project_attended, attended.chunk(2, dim=-1))
        both = one.float() + other.float() + added
        return output.tower.join((together @ both).to(attended.dtype)).float()

    def _summed(self, blocks: int) -> range:
        return range(layer(FIRST, blocks), layer(LAST, blocks) + 1)


def after(output: TowerOutput, block: int) -> Tensor:
    """The tokens after a block, which counts from 1: (1, P + N, D)."""
    return output.block(block + 1).tokens


HOST = ScClip()
