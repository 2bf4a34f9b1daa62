"""Which patches mean the same, from what they predict: the pure functions of the paper's steps 2 to 5.

Chi et al., ICCV 2025, arXiv 2508.20265. Shapes: B windows, N patches, E the joint embedding's size, C queries.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax


def isolated_log_probabilities(first: Tensor, uniform: Tensor, text: Tensor, scale: float, isolation: float) -> Tensor:
    """Attention isolation: what the attention contributed to the prediction of every patch, as log-probabilities.

    log softmax over the queries of scale·cos(z_i, t_c) − isolation·cos(u_i, t_c).

    Args:
        first: unit embeddings z by the host alone, (B, N, E).
        uniform: unit embeddings u from a uniform attention, (B, N, E) or (B, 1, E) where all patches agree.
        text: unit embeddings of the queries, (C, E).

    Returns:
        (B, N, C), fp32.
    """
    text = text.float()
    logits = (first.float() @ text.T).mul_(scale).sub_((uniform.float() @ text.T).mul_(isolation))
    return log_softmax(logits, dim=-1)


def divergences(log_probabilities: Tensor, rows: slice = slice(None)) -> Tensor:
    """KL(P_i ‖ P_j) for the given rows i and all j, clamped at zero: (B, N, C) to (B, rows, N).

    Σ_c P_ic log P_ic − P_i · log P_jᵀ, one matrix product and nothing of size N × N × C.
    """
    of_rows = log_probabilities[:, rows]
    probabilities = of_rows.exp()
    negative_entropy = (probabilities * of_rows).sum(dim=-1, keepdim=True)
    cross = probabilities @ log_probabilities.transpose(-1, -2)
    return cross.neg_().add_(negative_entropy).clamp_(min=0)


def similarities(divergence: Tensor) -> Tensor:
    """s = 1 / (1 + KL), elementwise; in (0, 1]."""
    return (divergence + 1).reciprocal_()


def kept(similarity: Tensor, keep: float) -> Tensor:
    """Confidence-based pruning: which entries stay, row by row; (…, N) to (…, N), bool.

    The largest entries stay while the running sum of the row's softmax is at most `keep`; the largest always stays. Of
    equal entries those that come first go first.
    """
    return dropped(similarity, keep) == 0


def dropped(similarity: Tensor, keep: float) -> Tensor:
    """The others: 1 for what pruning drops and 0 for what stays, numbers of the similarity's type; (…, N) to (…, N).

    Only the values are sorted, not their indices: the last one that stays is the row's threshold, and indices matter
    only where the value behind it is the same.
    """
    if keep >= 1:  # the running sum may exceed 1 by rounding
        return torch.zeros_like(similarity)
    similarity = similarity.detach()
    ordered = sorted_values(similarity)
    running = ordered.softmax(dim=-1).cumsum_(dim=-1)
    room = torch.searchsorted(running, running.new_full((*running.shape[:-1], 1), keep), right=True).clamp_(min=1)
    threshold = ordered.gather(-1, room - 1)
    # numbers and not bools, with which elementwise work is many times slower
    out = torch.lt(similarity, threshold, out=torch.empty_like(similarity))
    crowded = (ordered.gather(-1, room.clamp(max=ordered.shape[-1] - 1)) == threshold)[..., 0]
    if crowded.any():
        rows, threshold, room = similarity[crowded], threshold[crowded], room[crowded]
        larger, equal = rows > threshold, rows == threshold
        room = room - larger.sum(dim=-1, keepdim=True)
        out[crowded] = (~(larger | (equal & (equal.cumsum(dim=-1) <= room)))).to(out.dtype)
    return out


def sorted_values(values: Tensor) -> Tensor:
    """In descending order along the last axis; on a CPU by numpy, whose sort is faster (benchmarks/feedback.py)."""
    if values.device.type == "cpu":
        ordered = values.detach().neg()
        ordered.numpy().sort(axis=-1)
        return ordered.neg_()
    return values.sort(dim=-1, descending=True).values


def prune(similarity: Tensor, keep: float) -> Tensor:
    """The similarities with what pruning drops set to −∞: (…, N) to (…, N)."""
    return similarity.masked_fill(~kept(similarity, keep), -torch.inf)


def feedback_attention(log_probabilities: Tensor, keep: float, sharpness: float, rows: slice = slice(None)) -> Tensor:
    """F for the given rows: softmax over what pruning keeps of s·exp(sharpness·s); (B, N, C) to (B, rows, N), fp32."""
    similarity = similarities(divergences(log_probabilities, rows))
    scores = (similarity * sharpness).exp_().mul_(similarity)
    # far enough below every score that the softmax makes it zero, as −∞ would, without a pass that fills by a mask
    return scores.sub_(dropped(similarity, keep), alpha=torch.finfo(scores.dtype).max).softmax(dim=-1)
