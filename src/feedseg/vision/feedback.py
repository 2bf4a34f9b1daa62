"""Feedback self-adaptive attention (FSA; Chi et al., ICCV 2025, arXiv 2508.20265), as a plug-in for any attention.

The predictions for the patches say which patches mean the same thing; that is fed back into the last attention, and the
patches are read a second time. Shapes: B pictures, H heads, N patches, P leading tokens that are no patches, M = P + N,
D = H·d the tower's width, E the joint embedding's size, C queries. Nothing here depends on the rest of this project.

With A the host's attention, F the feedback's and r the row sums of A, the second attention is (F A + A F + r F) / 3.
It is never formed: F (A v), A (F v) and F v cost N²·D each, and F itself exists only a block of rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, normalize

# Elements of one block of rows of the N × N similarities: fits a CPU core's cache, fills a GPU.
MOST_SHARPNESS = 80.0  # exp(80) is still an fp32 number
BLOCK_ELEMENTS_CPU = 1 << 20
BLOCK_ELEMENTS_ACCELERATOR = 1 << 24


def isolated_log_probabilities(first: Tensor, uniform: Tensor, text: Tensor, scale: float, isolation: float) -> Tensor:
    """Attention isolation: what the attention contributed to the prediction of every patch, as log-probabilities.

    log softmax over the queries of scale·cos(z_i, t_c) − isolation·cos(u_i, t_c).

    Args:
        first: unit embeddings z of the first reading, (B, N, E).
        uniform: unit embeddings u read from a uniform attention, (B, N, E) or (B, 1, E) where all patches agree.
        text: unit embeddings of the queries, (C, E).

    Returns:
        (B, N, C), fp32.
    """
    text = text.float()
    logits = scale * (first.float() @ text.T) - isolation * (uniform.float() @ text.T)
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
    return (divergence + 1).reciprocal()


def sorted_and_kept(similarity: Tensor, keep: float) -> tuple[Tensor, Tensor, Tensor]:
    """Confidence-based pruning, row by row, in descending order of similarity.

    The largest entries stay while the running sum of the row's softmax is at most `keep`; the largest always stays.

    Returns:
        the sorted similarities, the columns they came from, and which of them stay; each (…, N).
    """
    ordered, columns = similarity.sort(dim=-1, descending=True, stable=True)
    kept = ordered.softmax(dim=-1).cumsum(dim=-1) <= keep
    kept[..., 0] = True
    if keep >= 1:  # the running sum may exceed 1 by rounding
        kept.fill_(True)
    return ordered, columns, kept


def prune(similarity: Tensor, keep: float) -> Tensor:
    """The similarities with what pruning drops set to −∞: (…, N) to (…, N)."""
    ordered, columns, kept = sorted_and_kept(similarity, keep)
    return torch.full_like(similarity, -torch.inf).scatter_(-1, columns, ordered.masked_fill(~kept, -torch.inf))


def feedback_attention(log_probabilities: Tensor, keep: float, sharpness: float, rows: slice = slice(None)) -> Tensor:
    """F for the given rows: softmax over what pruning keeps of s·exp(sharpness·s); (B, N, C) to (B, rows, N), fp32."""
    similarity = similarities(divergences(log_probabilities, rows))
    ordered, columns, kept = sorted_and_kept(similarity, keep)
    scores = (torch.exp(ordered * sharpness) * ordered).masked_fill_(~kept, -torch.inf)
    return torch.empty_like(similarity).scatter_(-1, columns, scores.softmax(dim=-1))


def attend(attention: Tensor | None, values: Tensor) -> Tensor:
    """Apply an attention to values (B, M, D): None (the identity), (B, R, M) shared, or (B, H, R, M) per head.

    Returns:
        (B, R, D), the heads side by side.
    """
    if attention is None:
        return values
    attention = attention.to(values.dtype)
    if attention.dim() == 3:
        return attention @ values
    by_head = values.unflatten(-1, (attention.shape[1], -1)).transpose(1, 2)
    return (attention @ by_head).transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class FeedbackAttention:
    """The feedback as a plug-in: attention, values, a read-out and text embeddings in, refined patch embeddings out.

    The defaults are the paper's for CLIP ViT-B and ViT-L with DINO, DINOv2 or SAM proxies; it uses sharpness 2.3 for
    ViT-H/14 and 4.5 with MAE proxies.
    """

    scale: float = 20.0  # a, of the first reading's cosines
    isolation: float = 35.0  # b, of the uniform reading's cosines
    keep: float = 0.45  # p, the share of a row's softmax that pruning keeps
    sharpness: float = 3.0  # λ

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is a share of a row, above 0 and at most 1, not {self.keep}")
        if not 0 <= self.sharpness <= MOST_SHARPNESS:
            raise ValueError(f"the sharpness is 0 to {MOST_SHARPNESS:g}, beyond which its exponential is no number")
        if not (math.isfinite(self.scale) and math.isfinite(self.isolation)):
            raise ValueError(f"scale and isolation are numbers, not {self.scale} and {self.isolation}")

    def __call__(
        self,
        attention: Tensor | None,
        values: Tensor,
        read: Callable[[Tensor], Tensor],
        text: Tensor,
        prefix: int = 0,
    ) -> Tensor:
        """Read the patches once, feed the predictions back, and read them again.

        Args:
            attention: the host's weights after its softmax, one for all heads (B, M, M) or one per head (B, H, M, M);
                the rows of the leading tokens may be missing (N instead of M). None is the identity.
            values: the last block's values, (B, M, D) with the heads side by side, or (B, H, M, d).
            read: from the attention's output for the patches, (B, N, D), to their joint embeddings (B, N, E): output
                projection, residual and feed-forward if the host keeps them, final layer norm, joint projection.
            text: embeddings of the queries, (C, E).
            prefix: how many tokens lead the patches (1 for a class token). In F each of them attends itself alone.

        Returns:
            the refined embeddings of the patches, unit length, (B, N, E), fp32.
        """
        if values.dim() == 4:
            values = values.transpose(1, 2).flatten(2)
        tokens, patches = values.shape[1], values.shape[1] - prefix
        if prefix < 0 or patches < 1:
            raise ValueError(f"prefix {prefix} leaves no patches of {tokens} values")
        if text.dim() != 2:
            raise ValueError(f"text is (C, E), an embedding a query, not {tuple(text.shape)}")
        if attention is not None:
            rows, columns = attention.shape[-2:]
            if attention.dim() not in (3, 4) or columns != tokens or rows not in (tokens, patches):
                raise ValueError(
                    f"attention {tuple(attention.shape)} does not fit {tokens} values, {prefix} of them first"
                )
            if attention.dim() == 4 and values.shape[-1] % attention.shape[1]:
                raise ValueError(f"{attention.shape[1]} heads do not share values of width {values.shape[-1]}")
            attention = attention[..., -patches:, :]
        row_sum = 1.0 if attention is None else attention.sum(dim=-1, keepdim=True, dtype=torch.float32)

        def read_unit(attended: Tensor) -> Tensor:
            embedded = read(attended)
            if embedded.shape[:2] != attended.shape[:2]:
                raise ValueError(
                    f"read makes {tuple(embedded.shape)} of {tuple(attended.shape)}, a row too many or few"
                )
            return normalize(embedded.float(), dim=-1)

        first = read_unit(attend(attention, values)[:, -patches:])
        mean = values.mean(dim=1, keepdim=True).expand(-1, patches, -1)
        uniform = read_unit(scale_rows(mean, row_sum))
        return read_unit(self.refine(attention, values, self.log_probabilities(first, uniform, text), prefix, row_sum))

    def log_probabilities(self, first: Tensor, uniform: Tensor, text: Tensor) -> Tensor:
        """Attention isolation with this plug-in's scales; see `isolated_log_probabilities`."""
        return isolated_log_probabilities(first, uniform, normalize(text.float(), dim=-1), self.scale, self.isolation)

    def refine(
        self,
        attention: Tensor | None,
        values: Tensor,
        log_probabilities: Tensor,
        prefix: int = 0,
        row_sum: Tensor | float = 1.0,
    ) -> Tensor:
        """The adaptation ensemble applied to the values: (F A + A F + r F) v / 3 for the patches.

        Args:
            attention: None, (B, N, M) or (B, H, N, M): the rows of the patches.
            values: (B, M, D).
            log_probabilities: (B, N, C), of the patches.
            row_sum: r, a number, (B, N, 1) or (B, H, N, 1).

        Returns:
            the attention's output for the patches, (B, N, D).
        """
        patch_values = values[:, prefix:]
        if attention is None:  # with A the identity the three terms are one
            return self._apply(log_probabilities, patch_values)
        attended = attend(attention, values)
        fed_back, fed_back_attended = self._apply(log_probabilities, torch.cat((patch_values, attended), -1)).chunk(
            2, dim=-1
        )
        spread = attend(attention, torch.cat((values[:, :prefix], fed_back), dim=1))
        return (fed_back_attended + spread + scale_rows(fed_back, row_sum)) / 3

    def _apply(self, log_probabilities: Tensor, values: Tensor) -> Tensor:
        """F times values (B, N, D), a block of rows of F at a time."""
        batch, patches, _ = log_probabilities.shape
        budget = BLOCK_ELEMENTS_CPU if values.device.type == "cpu" else BLOCK_ELEMENTS_ACCELERATOR
        rows = max(1, budget // (batch * patches))
        out = torch.empty_like(values)
        for start in range(0, patches, rows):
            block = slice(start, start + rows)
            weights = feedback_attention(log_probabilities, self.keep, self.sharpness, block)
            out[:, block] = weights.to(values.dtype) @ values
        return out


def scale_rows(values: Tensor, row_sum: Tensor | float) -> Tensor:
    """Multiply the rows of values (B, N, D) by a number, by (B, N, 1), or head by head by (B, H, N, 1)."""
    if isinstance(row_sum, Tensor):
        row_sum = row_sum.to(values.dtype)
        if row_sum.dim() == 4:
            heads = row_sum.shape[1]
            return (values.unflatten(-1, (heads, -1)) * row_sum.transpose(1, 2)).flatten(-2)
    return values * row_sum
