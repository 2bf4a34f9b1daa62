"""What a feedback is: a second attention for the patches, from what the first one made them predict.

Feedback self-adaptive attention (FSA; Chi et al., ICCV 2025, arXiv 2508.20265) is one; any of them plugs into any
attention. Shapes: B windows, H heads, N patches, P leading tokens that are no patches, M = P + N, D = H·d the tower's
width, E the joint embedding's size, C queries. This package imports torch and, of the project, the registry of its
names and the errors alone.

With A the host's attention, F the feedback's and r the row sums of A, the second attention is (F A + A F + r F) / 3.
It is never formed: F (A v), A (F v) and F v cost N²·D each, and F itself exists only a block of rows at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, InvalidValueError, brief, checked_count
from feedseg.vision.ops import best_query

# Elements of one block of rows of the N × N affinities: fits a CPU core's cache, fills a GPU.
BLOCK_ELEMENTS_CPU = 1 << 18
BLOCK_ELEMENTS_ACCELERATOR = 1 << 24
MOST_PASSES = 100
SETTLED = "settled"  # behind a feedback's name and a colon
PASSES_TO_SETTLE = 10

Project = Callable[[Tensor], Tensor]  # from the attention's output for the patches, (B, N, D), to embeddings (B, N, E)
Affinity = Callable[[slice], Tensor]  # F by its rows: a slice of the patches to (B, rows, N), fp32; rows sum to one


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


@dataclass(frozen=True, eq=False)
class HostAttention:
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
        """U v: what every patch gathers when it attends to all values alike; (B, 1, D)."""
        return scale_rows(self.values.mean(dim=1, keepdim=True), self.row_sum)

    def among_patches(self) -> Tensor | None:
        """The mean of A over the heads, without the leading tokens: (B, N, N), fp32; None for the identity.

        A shared attention in fp32 is not copied, and others are copied anew: an encoded image does not keep them.
        """
        if self.weights is None:
            return None
        shared = self.weights if self.weights.dim() == 3 else self.weights.mean(dim=1, dtype=torch.float32)
        return shared[..., self.prefix :].float()

    def spread(self, patches: Tensor) -> Tensor:
        """A applied to other values for the patches, (B, N, D); the leading tokens keep theirs."""
        values = torch.cat((self.values[:, : self.prefix], patches), dim=1) if self.prefix else patches
        return attend(self.weights, values)


@dataclass(frozen=True)
class Feedback(ABC):
    """New embeddings for the patches, from the host's attention and what it made them predict."""

    @abstractmethod
    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        """The patches' embeddings after feedback, (B, N, E), fp32, not normalised.

        Args:
            host: the host's last attention.
            first: the patches' embeddings by the host alone, (B, N, E); like the others of unit length.
            uniform: those from a uniform attention, (B, N, E), or (B, 1, E) where all patches agree.
            text: the queries' embeddings, (C, E).
            project: from the attention's output to embeddings.
        """

    def fitted(self, width: int, proxy: str) -> Feedback:
        """The constants that its paper gives for a tower of some width and a proxy of some family (or "")."""
        return self

    def configured(self, text: str) -> Feedback:
        """The same with what somebody wrote behind its name and a colon, as in "calibrated:2".

        Raises:
            FeedsegError: that is nothing for it.
        """
        raise FeedsegError(f"{type(self).__name__} takes nothing behind its name: leave out :{text[:60]}")


@dataclass(frozen=True, eq=False)
class Stage:
    """A step on the way to an affinity, as one patch sees all others: to look at."""

    name: str
    text: str  # what it is, on one line
    values: Tensor  # (N,), fp32 or bool


@dataclass(frozen=True)
class AffinityFeedback(Feedback):
    """Feedback from an affinity F of the patches: predictions, which patches agree, and the ensemble with A.

    A subclass says what the patches predict (`isolate`), which of them mean the same (`affinity`), and which attention
    that makes (`ensemble`).
    """

    passes: int = field(default=1, kw_only=True)  # each further one starts from what the one before has projected
    # whether a window's passes end before, with the one that changes no patch's best query
    settle: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        checked_count(self.passes, "the number of passes", most=MOST_PASSES)
        if not isinstance(self.settle, bool):
            raise InvalidValueError(f"settle is True or False, not {brief(self.settle)}")

    def configured(self, text: str) -> AffinityFeedback:
        """The same with so many passes, or with "settled" until no patch changes its label, at most ten."""
        if text == SETTLED:
            return replace(self, passes=PASSES_TO_SETTLE, settle=True)
        if not text.isdecimal():
            raise FeedsegError(
                f"behind a feedback's name is a number of passes or {SETTLED}, as in calibrated:2, not {brief(text)}"
            )
        return replace(self, passes=int(text))

    @abstractmethod
    def isolate(self, first: Tensor, uniform: Tensor, text: Tensor) -> Tensor:
        """What the attention contributed to every patch's prediction: (B, N, C), fp32. Arguments as in `embed`."""

    @abstractmethod
    def affinity(self, host: HostAttention, isolated: Tensor) -> Affinity:
        """F, from what `isolate` returned."""

    @abstractmethod
    def ensemble(self, host: HostAttention, isolated: Tensor) -> Tensor:
        """F and the host's attention A together, applied to the values: (B, N, D)."""

    def stages(self, isolated: Tensor, patch: int) -> tuple[Stage, ...]:
        """What lies between `isolate` and F for one patch of the first window; nothing unless a subclass says it."""
        return ()

    def last_isolated(
        self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project
    ) -> Tensor:
        """What `isolate` returns in the last pass, whose attention is read out: (B, N, C). Arguments as in `embed`."""
        return self._last_pass(host, first, uniform, text, project)[0]

    def _last_pass(
        self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project
    ) -> tuple[Tensor, Tensor]:
        """What `isolate` returns in the last pass, and what that pass projects: (B, N, C), (B, N, E)."""
        isolated = self.isolate(normalize(first.float(), dim=-1), uniform, text)
        embedded = project(self.ensemble(host, isolated))
        before, settled = first, torch.zeros(len(first), 1, 1, dtype=torch.bool, device=first.device)
        for _ in range(self.passes - 1):
            if self.settle:
                settled |= (best_query(embedded, text) == best_query(before, text)).all(dim=1)[:, None, None]
                if settled.all():
                    break
            # a window that has settled stays as it is, whatever it shares a batch with
            again = self.isolate(normalize(embedded.float(), dim=-1), uniform, text)
            isolated = torch.where(settled, isolated, again)
            before, embedded = embedded, torch.where(settled, embedded, project(self.ensemble(host, isolated)))
        return isolated, embedded

    def attention(self, host: HostAttention, isolated: Tensor) -> Tensor:
        """The second attention A' itself, its mean over the heads, to look at: (B, N, M), fp32.

        An ensemble is linear in the values, so that applied to the identity matrix it returns its weights; the mean of
        the heads' ensembles is the ensemble with their mean. It takes N·M·M, much more than `ensemble` itself.
        """
        values = torch.eye(host.values.shape[1], device=host.values.device).expand(len(host.values), -1, -1)
        weights, row_sum = host.weights, host.row_sum
        if weights is not None:
            weights = weights.float() if weights.dim() == 3 else weights.mean(dim=1, dtype=torch.float32)
        if isinstance(row_sum, Tensor) and row_sum.dim() == 4:
            row_sum = row_sum.float().mean(dim=1)
        return self.ensemble(HostAttention(weights, values, host.prefix, row_sum, host.grid), isolated)

    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        return self._last_pass(host, first, uniform, text, project)[1]

    def __call__(
        self, attention: Tensor | None, values: Tensor, read: Project, text: Tensor, prefix: int = 0
    ) -> Tensor:
        """The plug-in for other people's code: project the patches, feed their predictions back, project them again.

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

        Raises:
            ValueError: shapes that do not fit each other.
        """
        if values.dim() == 4:
            values = values.transpose(1, 2).flatten(2)
        attention = _patch_rows(attention, values, prefix)
        if text.dim() != 2 or not len(text):
            raise ValueError(f"text is (C, E), an embedding a query, not {tuple(text.shape)}")
        row_sum = 1.0 if attention is None else attention.sum(dim=-1, keepdim=True, dtype=torch.float32)

        def project_unit(attended: Tensor) -> Tensor:
            embedded = read(attended)
            if embedded.shape[:2] != attended.shape[:2]:
                raise ValueError(
                    f"read makes {tuple(embedded.shape)} of {tuple(attended.shape)}, a row too many or few"
                )
            return normalize(embedded.float(), dim=-1)

        host = HostAttention(attention, values, prefix, row_sum)
        uniform = project_unit(host.uniform.expand(-1, values.shape[1] - prefix, -1))
        return self.embed(host, project_unit(host.attended), uniform, normalize(text.float(), dim=-1), project_unit)


def _patch_rows(attention: Tensor | None, values: Tensor, prefix: int) -> Tensor | None:
    """The patches' rows of an attention that fits the values, (B, M, D)."""
    tokens, patches = values.shape[1], values.shape[1] - prefix
    if prefix < 0 or patches < 1:
        raise ValueError(f"prefix {prefix} leaves no patches of {tokens} values")
    if attention is None:
        return None
    rows, columns = attention.shape[-2:]
    if attention.dim() not in (3, 4) or columns != tokens or rows not in (tokens, patches):
        raise ValueError(f"attention {tuple(attention.shape)} does not fit {tokens} values, {prefix} of them first")
    if attention.dim() == 4 and values.shape[-1] % attention.shape[1]:
        raise ValueError(f"{attention.shape[1]} heads do not divide values of width {values.shape[-1]}")
    return attention[..., -patches:, :]


def apply_rows(weights: Affinity, *values: Tensor) -> list[Tensor]:
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
