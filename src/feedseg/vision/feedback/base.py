"""Feedback self-adaptive attention (FSA; Chi et al., ICCV 2025, arXiv 2508.20265), as a plug-in for any attention.

The predictions for the patches say which patches mean the same thing; that is fed back into the last attention, and the
patches are read a second time. Shapes: B pictures, H heads, N patches, P leading tokens that are no patches, M = P + N,
D = H·d the tower's width, E the joint embedding's size, C queries. Nothing here depends on the rest of this project.

With A the host's attention, F the feedback's and r the row sums of A, the second attention is (F A + A F + r F) / 3.
It is never formed: F (A v), A (F v) and F v cost N²·D each, and F itself exists only a block of rows at a time.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.vision.feedback.affinity import feedback_attention, isolated_log_probabilities

TERMS = ("FA", "AF", "F")  # of the ensemble
MOST_SHARPNESS = 80.0  # exp(80) is still an fp32 number
# Elements of one block of rows of the N × N similarities: fits a CPU core's cache, fills a GPU.
BLOCK_ELEMENTS_CPU = 1 << 18
BLOCK_ELEMENTS_ACCELERATOR = 1 << 24


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
class LastAttention:
    """The host's last attention A, the rows of the patches, and the values v that it is applied to."""

    weights: Tensor | None  # A: None for the identity, (B, N, M) or (B, H, N, M)
    values: Tensor  # (B, M, D), the heads side by side
    prefix: int = 0  # P
    row_sum: Tensor | float = 1.0  # r: a number, (B, N, 1) or (B, H, N, 1)
    grid: tuple[int, int] | None = None  # rows and columns of the patches, where that is known

    @cached_property
    def attended(self) -> Tensor:
        """A v, (B, N, D)."""
        return attend(self.weights, self.values)[:, -self.patch_values.shape[1] :]

    @property
    def patch_values(self) -> Tensor:
        """(B, N, D)."""
        return self.values[:, self.prefix :]

    @property
    def uniform(self) -> Tensor:
        """U v: what every patch gathers when it attends to all values alike; (B, N or 1, D)."""
        return scale_rows(self.values.mean(dim=1, keepdim=True), self.row_sum)

    def among_patches(self) -> Tensor | None:
        """The mean of A over the heads, without the leading tokens: (B, N, N), fp32; None for the identity.

        A shared attention in fp32 is not copied, and others are copied anew: an opened picture does not keep them.
        """
        if self.weights is None:
            return None
        shared = self.weights if self.weights.dim() == 3 else self.weights.mean(dim=1, dtype=torch.float32)
        return shared[..., self.prefix :].float()

    def spread(self, patches: Tensor) -> Tensor:
        """A applied to other values for the patches, (B, N, D); the leading tokens keep theirs."""
        values = torch.cat((self.values[:, : self.prefix], patches), dim=1) if self.prefix else patches
        return attend(self.weights, values)


# F by its rows: a slice of the patches to (B, rows, N), fp32; each row sums to one.
Correspondence = Callable[[slice], Tensor]


class Rereading(Protocol):
    """What can take a feedback's place: a second reading of the patches."""

    def reread(
        self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """See `Feedback.reread`."""
        ...


@dataclass(frozen=True)
class Feedback(ABC):
    """What every kind of feedback shares: a first reading, and passes that each read anew.

    A kind says what the patches predict (`isolate`), which of them belong together (`correspondence`), and which
    attention that makes (`refine`, the ensemble).
    """

    passes: int = field(default=1, kw_only=True)  # each further one starts from what the one before has read

    def __post_init__(self) -> None:
        if self.passes < 1 or self.passes != int(self.passes):
            raise ValueError(f"there is at least one pass, and a whole number of them, not {self.passes}")

    @abstractmethod
    def isolate(self, first: Tensor, uniform: Tensor, text: Tensor) -> Tensor:
        """What the attention contributed to every patch's prediction, as this kind measures it: (B, N, C), fp32.

        Args:
            first: the patches' embeddings, (B, N, E); like the others of unit length.
            uniform: what they read from a uniform attention, (B, N, E), or (B, 1, E) where all agree.
            text: the queries' embeddings, (C, E).
        """

    @abstractmethod
    def correspondence(self, last: LastAttention, isolated: Tensor) -> Correspondence:
        """F, from what `isolate` returned."""

    @abstractmethod
    def refine(self, last: LastAttention, isolated: Tensor) -> Tensor:
        """The ensemble of F and the host's attention A, applied to the values: (B, N, D)."""

    def __call__(
        self,
        attention: Tensor | None,
        values: Tensor,
        read: Callable[[Tensor], Tensor],
        text: Tensor,
        prefix: int = 0,
    ) -> Tensor:
        """Read the patches once, feed the predictions back, and read them again.

        For inference: gradients do not find their way back through it.

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
        if text.dim() != 2 or not len(text):
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

        last = LastAttention(attention, values, prefix, row_sum)
        uniform = read_unit(last.uniform.expand(-1, patches, -1))
        return self.reread(last, read_unit(last.attended), uniform, normalize(text.float(), dim=-1), read_unit)

    def reread(
        self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """The passes after the first reading.

        Args:
            last: the host's last attention.
            first, uniform, text: unit embeddings, see `isolate`.
            read: from the attention's output (B, N, D) to embeddings (B, N, E).

        Returns:
            what `read` makes of the last pass.
        """
        embedded = first
        for _ in range(self.passes):
            isolated = self.isolate(normalize(embedded.float(), dim=-1), uniform, text)
            embedded = read(self.refine(last, isolated))
        return embedded


@dataclass(frozen=True)
class FeedbackAttention(Feedback):
    """The paper's feedback as a plug-in: attention, values, a read-out and text embeddings in, patch embeddings out.

    The defaults are the paper's for CLIP ViT-B and ViT-L with DINO, DINOv2 or SAM proxies; it uses sharpness 2.3 for
    ViT-H/14 and 4.5 with MAE proxies.
    """

    scale: float = 20.0  # a, of the first reading's cosines
    isolation: float = 35.0  # b, of the uniform reading's cosines
    keep: float = 0.45  # p, the share of a row's softmax that pruning keeps
    sharpness: float = 3.0  # λ
    terms: tuple[str, ...] = field(default=TERMS, kw_only=True)  # of the ensemble, which is their mean

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.terms or len(set(self.terms)) < len(self.terms) or not set(self.terms) <= set(TERMS):
            raise ValueError(f"the terms of the ensemble are some of {', '.join(TERMS)}, not {self.terms}")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is a share of a row, above 0 and at most 1, not {self.keep}")
        if not 0 <= self.sharpness <= MOST_SHARPNESS:
            raise ValueError(f"the sharpness is 0 to {MOST_SHARPNESS:g}, beyond which its exponential is no number")
        if not (math.isfinite(self.scale) and math.isfinite(self.isolation)):
            raise ValueError(f"scale and isolation are numbers, not {self.scale} and {self.isolation}")

    def isolate(self, first: Tensor, uniform: Tensor, text: Tensor) -> Tensor:
        return isolated_log_probabilities(first, uniform, text, self.scale, self.isolation)

    def correspondence(self, last: LastAttention, isolated: Tensor) -> Correspondence:
        return partial(feedback_attention, isolated, self.keep, self.sharpness)

    def refine(self, last: LastAttention, isolated: Tensor) -> Tensor:
        """The adaptation ensemble applied to the values, by default (F A + A F + r F) v / 3: (B, N, D)."""
        feedback = self.correspondence(last, isolated)
        if last.weights is None:  # with A the identity all terms are one
            return apply_rows(feedback, last.patch_values)[0]
        needed = (last.patch_values, last.attended) if "FA" in self.terms else (last.patch_values,)
        fed_back, *rest = apply_rows(feedback, *needed)
        total = rest[0] if rest else torch.zeros_like(fed_back)
        if "AF" in self.terms:
            total += last.spread(fed_back)
        if "F" in self.terms:
            total += scale_rows(fed_back, last.row_sum)
        return total.div_(len(self.terms))


def apply_rows(weights: Correspondence, *values: Tensor) -> list[Tensor]:
    """An attention among the patches, given by its rows, times each of the values (B, N, D).

    Only some of its rows exist at a time.
    """
    batch, patches, _ = values[0].shape
    budget = BLOCK_ELEMENTS_CPU if values[0].device.type == "cpu" else BLOCK_ELEMENTS_ACCELERATOR
    rows = max(1, budget // (batch * patches))
    out = [torch.empty_like(each) for each in values]
    for start in range(0, patches, rows):
        block = slice(start, start + rows)
        attention = weights(block)
        for product, each in zip(out, values, strict=True):
            product[:, block] = attention.to(each.dtype) @ each
    return out


def scale_rows(values: Tensor, row_sum: Tensor | float) -> Tensor:
    """Multiply the rows of values (B, N, D) by a number, by (B, N, 1), or head by head by (B, H, N, 1)."""
    if isinstance(row_sum, Tensor):
        row_sum = row_sum.to(values.dtype)
        if row_sum.dim() == 4:
            heads = row_sum.shape[1]
            return (values.unflatten(-1, (heads, -1)) * row_sum.transpose(1, 2)).flatten(-2)
    return values * row_sum
