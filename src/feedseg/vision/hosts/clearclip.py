"""ClearCLIP: query-query attention without residual and feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.hosts.attention import self_self_attention
from feedseg.vision.hosts.base import Host
from feedseg.vision.towers.base import TowerOutput


@dataclass(frozen=True)
class ClearClip(Host):
    """softmax(q qᵀ / √d), residual and feed-forward dropped."""

    name = "clearclip"
    title = "softmax(q·qᵀ/√d)"
    citation = "Lan et al., ECCV 2024, arXiv 2407.12442"
    settings = Settings(short_side=448, window=448, stride=224, logit_scale=50.0)
    protocol = "clearclip"

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last = output.last
        return self_self_attention(last.query, last.prefix)


HOST = ClearClip()
