"""CLIP's own attention."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.vision.hosts.attention import query_key_attention
from feedseg.vision.hosts.base import Host
from feedseg.vision.towers.base import TowerOutput


@dataclass(frozen=True)
class Clip(Host):
    """The tower as it is: softmax(q kᵀ / √d), residual and feed-forward kept."""

    name = "clip"
    title = "softmax(q·kᵀ/√d)"
    citation = "Radford et al., ICML 2021, arXiv 2103.00020"
    keeps_residual = True

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last = output.last
        return query_key_attention(last.query, last.key, last.prefix)


HOST = Clip()
