"""SCLIP: correlative self-attention."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.hosts.attention import self_self_attention
from feedseg.vision.hosts.base import Host
from feedseg.vision.towers.base import TowerOutput


def correlative_attention(query: Tensor, key: Tensor, prefix: int = 0) -> Tensor:
    """softmax(q qᵀ / √d) + softmax(k kᵀ / √d), whose rows sum to 2: (B, H, M, d) twice to (B, H, N, M)."""
    return self_self_attention(query, prefix) + self_self_attention(key, prefix)


@dataclass(frozen=True)
class Sclip(Host):
    """Queries with queries and keys with keys, residual and feed-forward kept."""

    name = "sclip"
    title = "softmax(q·qᵀ/√d) + softmax(k·kᵀ/√d)"
    citation = "Wang et al., ECCV 2024, arXiv 2312.01597"
    matrices = (1.0, 2.8)
    keeps_residual = True
    row_sum = 2.0
    settings = Settings(window=224, stride=112)
    protocol = "sclip"

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last = output.last
        return correlative_attention(last.query, last.key, last.prefix)


HOST = Sclip()
