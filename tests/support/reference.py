"""The method written plainly, as the paper says it: the direct N × N × C and N³ formulas, one image at a time.

Independent of the package: nothing of it is imported here, nothing is factorised, blocked or shared.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity


def probabilities(first: Tensor, uniform: Tensor, text: Tensor, scale: float, isolation: float) -> Tensor:
    """(N, E), (N, E), (C, E) to (N, C)."""
    contributed = scale * cosine_similarity(first[:, None], text[None], dim=-1)
    added_anyway = isolation * cosine_similarity(uniform[:, None], text[None], dim=-1)
    return torch.softmax(contributed - added_anyway, dim=-1)


def divergences(probability: Tensor) -> Tensor:
    """KL(P_i ‖ P_j) through the whole (N, N, C) tensor."""
    ratio = probability.log()[:, None] - probability.log()[None]
    return (probability[:, None] * ratio).sum(-1).clamp(min=0)


def pruned(similarity: Tensor, keep: float) -> Tensor:
    """Row by row, entry by entry: the largest stay while the running sum of the row's softmax is at most `keep`."""
    rows = []
    for values in similarity.tolist():
        scale = sum(math.exp(value) for value in values)
        row, total = [-math.inf] * len(values), 0.0
        for rank, column in enumerate(sorted(range(len(values)), key=lambda j: -values[j])):
            total += math.exp(values[column]) / scale
            if keep < 1 and total > keep and rank > 0:
                break
            row[column] = values[column]
        rows.append(row)
    return torch.tensor(rows, dtype=similarity.dtype)


def is_decided(similarity: Tensor, keep: float, margin: float = 1e-4) -> bool:
    """Whether rounding cannot change what pruning keeps: no running sum and no neighbour lies close to the cut."""
    ordered = similarity.sort(dim=-1, descending=True).values
    running = torch.softmax(ordered, dim=-1).cumsum(-1)
    if keep >= 1 or similarity.shape[-1] == 1:
        return True
    last = (running <= keep).sum(-1).clamp(min=1) - 1
    following = (last + 1).clamp(max=similarity.shape[-1] - 1)
    gap = (ordered.gather(-1, last[:, None]) - ordered.gather(-1, following[:, None])).abs()
    return bool(((running - keep).abs() > margin).all() and (gap > margin).all())


def feedback_matrix(probability: Tensor, keep: float, sharpness: float) -> Tensor:
    """F, (N, N)."""
    similarity = pruned(1 / (1 + divergences(probability)), keep)
    scores = torch.where(similarity.isinf(), similarity, similarity * torch.exp(sharpness * similarity))
    return torch.softmax(scores, dim=-1)


def refined_attention(attention: Tensor, feedback: Tensor, prefix: int) -> Tensor:
    """A' of one head, (M, M), by N³ products; each leading token attends itself alone in F."""
    whole = torch.eye(len(attention), dtype=attention.dtype)
    whole[prefix:, prefix:] = feedback
    row_sum = attention.sum(dim=-1, keepdim=True)
    return (whole @ attention + attention @ whole + row_sum * whole) / 3


def refined_embeddings(
    attention: Tensor,
    values: Tensor,
    read: Callable[[Tensor], Tensor],
    text: Tensor,
    prefix: int,
    constants: tuple[float, float, float, float],
    margin: float = 1e-4,
) -> tuple[Tensor, bool]:
    """One image: attention (H, M, M), values (H, M, d), read from (M − P, D).

    Returns the patches' embeddings as they come out of `read`, and whether rounding cannot change them much: it decides
    a cut that falls between equals, and the direction of a vector that has nearly no length.
    """
    scale, isolation, keep, sharpness = constants
    heads, tokens, _ = values.shape

    def read_with(weights: Tensor) -> Tensor:
        out = torch.cat([weights[head] @ values[head] for head in range(heads)], dim=-1)
        return read(out[prefix:])

    uniform = attention.sum(dim=-1, keepdim=True) * torch.ones_like(attention) / tokens
    first, anyway = read_with(attention), read_with(uniform)
    probability = probabilities(first, anyway, text, scale, isolation)
    feedback = feedback_matrix(probability, keep, sharpness)
    refined = torch.stack([refined_attention(attention[head], feedback, prefix) for head in range(heads)])
    embeddings = read_with(refined)
    has_direction = all(bool((vectors.norm(dim=-1) > 0.05).all()) for vectors in (first, anyway, embeddings))
    return embeddings, has_direction and is_decided(1 / (1 + divergences(probability)), keep, margin)
