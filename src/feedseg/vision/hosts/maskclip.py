"""MaskCLIP: every patch is projected from its own value alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.vision.hosts.base import Host
from feedseg.vision.towers.base import TowerOutput


@dataclass(frozen=True)
class MaskClip(Host):
    """The identity instead of the attention, no residual and no feed-forward."""

    name = "maskclip"
    title = "the identity"
    citation = "Zhou et al., ECCV 2022, arXiv 2112.01071"
    matrices = (1.5, 0.0)
    sees_class_token = False

    def attention(self, output: TowerOutput, features: Tensor | None) -> None:
        return None


HOST = MaskClip()
