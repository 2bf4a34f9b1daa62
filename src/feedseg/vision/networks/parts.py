"""What these networks share: tables of embeddings, and the attention of many heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def table(count: int, width: int) -> nn.Embedding:
    """Embeddings to be filled; `nn.Embedding` would draw normal numbers first, which imports torch's compiler."""
    return nn.Embedding.from_pretrained(torch.empty(count, width))


def all_count(seen: Tensor) -> bool:
    """Whether there is no padding, so that no mask is needed; a tracer, which knows no numbers, keeps the mask."""
    return not torch.compiler.is_compiling() and bool(seen.all())


def attended(
    query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None = None, *, causal: bool = False
) -> Tensor:
    """softmax(q kᵀ / √d) v for every head, side by side again: (B, M, D).

    Args:
        query: (B, M, D), and so `key` and `value`.
        heads: how many; d is D / heads.
        mask: which keys are seen, (B, 1, M, M), bool; None for all.
        causal: only keys up to the query are seen; without a mask.
    """
    split = [tensor.unflatten(-1, (heads, -1)).transpose(1, 2) for tensor in (query, key, value)]
    scale = split[0].shape[-1] ** -0.5
    found = functional.scaled_dot_product_attention(*split, attn_mask=mask, is_causal=causal, scale=scale)
    return found.transpose(1, 2).flatten(2)
