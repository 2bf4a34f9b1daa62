"""ProxyCLIP: the similarities of another encoder's features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.vision.hosts.base import Host
from feedseg.vision.towers.base import TowerOutput

PROXY_BETA = 1.2
PROXY_GAMMA = 3.0


def proxy_attention(features: Tensor, beta: float = PROXY_BETA, gamma: float = PROXY_GAMMA) -> Tensor:
    """ProxyCLIP's attention from another encoder's features: (B, C, h, w) to (B, hw, hw), shared by all heads.

    softmax(γ (S − β·mean S)) over the entries that are not below zero, S the cosines between the features and their
    mean taken per window. Where all features look alike (a plain wall) no cosine exceeds β times the mean; such a row
    keeps every entry instead of none.
    """
    # in fp32, where the guard against features of length zero is more than nothing
    tokens = normalize(features.flatten(2).transpose(1, 2).float(), dim=-1).to(features.dtype)
    cosines = tokens @ tokens.transpose(-1, -2)
    mean = tokens.float().mean(dim=1).square().sum(-1)  # the mean of all cosines, without touching them
    scores = (cosines.float() - beta * mean[:, None, None]) * gamma
    dropped = scores < 0
    dropped &= ~dropped.all(dim=-1, keepdim=True)
    return scores.masked_fill_(dropped, -torch.inf).softmax(dim=-1).to(features.dtype)


@dataclass(frozen=True)
class ProxyClip(Host):
    """Patches attend to those that a proxy finds similar; residual and feed-forward dropped."""

    beta: float = PROXY_BETA
    gamma: float = PROXY_GAMMA

    name = "proxyclip"
    title = "the similarities of a proxy's features"
    citation = "Lan et al., ECCV 2024, arXiv 2408.04883"
    matrices = (4.0, 0.0)
    sees_class_token = False
    uses_proxy = True

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        if features is None:
            raise ValueError("proxyclip needs a proxy's features")
        return proxy_attention(features, self.beta, self.gamma)


HOST = ProxyClip()
