"""Attention maps that several hosts are made of: pure functions of queries and keys.

Shapes: B windows, H heads, N patches, P leading tokens that are no patches (class token, registers), M = P + N tokens,
d the width of a head. Every function returns the rows of the patches only, (B, H, N, M).
"""

from __future__ import annotations

import torch
from torch import Tensor


def scaled_products(left: Tensor, right: Tensor, prefix: int) -> Tensor:
    """Scaled dot products of the patches' rows of `left` with all of `right`: (B, H, M, d) twice to (B, H, N, M)."""
    scale = left.shape[-1] ** -0.5
    return (left[:, :, prefix:] * scale) @ right.transpose(-1, -2)


def softmax(scores: Tensor) -> Tensor:
    """Softmax over the last axis, computed in fp32 and returned in the type of `scores`."""
    return scores.softmax(dim=-1, dtype=torch.float32).to(scores.dtype)


def query_key_attention(query: Tensor, key: Tensor, prefix: int = 0) -> Tensor:
    """CLIP's own attention, softmax(q kᵀ / √d): (B, H, N, M)."""
    return softmax(scaled_products(query, key, prefix))


def self_self_attention(projection: Tensor, prefix: int = 0) -> Tensor:
    """softmax(x xᵀ / √d) of one projection x with itself, as ClearCLIP does with the queries: (B, H, N, M)."""
    return softmax(scaled_products(projection, projection, prefix))
