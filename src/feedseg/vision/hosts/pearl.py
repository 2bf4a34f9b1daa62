"""PEARL's attention: keys turned towards the queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.hosts.attention import softmax
from feedseg.vision.hosts.base import Host
from feedseg.vision.ops import accurate_dtype
from feedseg.vision.towers.base import TowerOutput

KEY_WEIGHT = 0.08
TOWARDS_IDENTITY = 1e-6  # of the product's size


def rotation(key: Tensor, query: Tensor) -> Tensor:
    """The orthogonal matrix that turns the keys towards the queries: (B, H, M, d) twice to (B, H, d, d).

    The polar factor of kᵀ q, both centred: of all orthogonal R the one with the smallest ‖k R − q‖ (the Procrustes
    problem). Where the tokens leave directions open, in windows of fewer tokens than a head is wide, it is the one
    nearest to the identity in these, and not whatever rounding makes of it.
    """
    left, _, right = torch.linalg.svd(regular_product(key, query))
    return left @ right


def regular_product(key: Tensor, query: Tensor) -> Tensor:
    """kᵀ q and a little of the identity, of which the rotation is the polar factor: (B, H, d, d)."""
    product = key.transpose(-1, -2) @ query
    size = product.square().sum(dim=(-2, -1), keepdim=True).sqrt() * TOWARDS_IDENTITY + torch.finfo(product.dtype).tiny
    return product + size * torch.eye(product.shape[-1], device=key.device)


def aligned_attention(
    query: Tensor,
    key: Tensor,
    prefix: int = 0,
    key_weight: float = KEY_WEIGHT,
    rotated: Callable[[Tensor, Tensor], Tensor] = rotation,
) -> Tensor:
    """softmax((q (k R)ᵀ + w·k' k'ᵀ) / √d), k' the centred keys, R their rotation: (B, H, M, d) twice to (B, H, N, M).

    The centres of queries and keys are means weighted by the queries' lengths. `rotated` is what computes R.
    """
    exact_query, exact_key = (one.to(accurate_dtype(one.device)) for one in (query, key))
    lengths = exact_query.norm(dim=-1, keepdim=True)
    weights = lengths / lengths.sum(dim=-2, keepdim=True).clamp(min=torch.finfo(lengths.dtype).tiny)
    centred_query, centred_key = (one - (weights * one).sum(dim=-2, keepdim=True) for one in (exact_query, exact_key))
    turned = (exact_key @ rotated(centred_key, centred_query)).to(key.dtype)
    centred_key = centred_key.to(key.dtype)
    scale = query.shape[-1] ** -0.5
    scores = (query[:, :, prefix:] * scale) @ turned.transpose(-1, -2)
    scores += (centred_key[:, :, prefix:] * (key_weight * scale)) @ centred_key.transpose(-1, -2)
    return softmax(scores)


@dataclass(frozen=True)
class Pearl(Host):
    """Queries with keys that are turned towards them, a little of keys with keys; residual and feed-forward dropped.

    Feedback corrects this attention. Without the published propagation of logits over the image, which needs the words.
    """

    key_weight: float = KEY_WEIGHT

    name = "pearl"
    title = "q·(kR)ᵀ, keys turned towards queries"
    citation = "Pei et al., CVPR 2026, arXiv 2603.21528"
    settings = Settings(window=224, stride=112)
    protocol = "naclip"

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last = output.last
        return aligned_attention(last.query, last.key, last.prefix, self.key_weight)


HOST = Pearl()
