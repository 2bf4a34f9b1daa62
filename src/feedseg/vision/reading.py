"""Reading windows with a host: everything about a picture that does not depend on the words, and then the words.

Shapes: B windows, N patches on the host's grid (h, w), M values (N and the leading tokens that the host keeps), D the
tower's width, E the joint embedding's size, C queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from feedseg.vision.attention import Host
from feedseg.vision.feedback import FeedbackAttention, attend
from feedseg.vision.proxy import Proxy
from feedseg.vision.tower import OpenBlock, Tower, normalised


@dataclass(frozen=True)
class _HostInputs:
    """A block's tokens as a host sees them: without the leading tokens where the host leaves them out."""

    block: OpenBlock
    sees_prefix: bool
    proxy_features: Tensor | None

    @property
    def prefix(self) -> int:
        return self.block.prefix if self.sees_prefix else 0

    @property
    def grid(self) -> tuple[int, int]:
        return self.block.grid

    @property
    def skipped(self) -> int:
        return self.block.prefix - self.prefix

    @property
    def query(self) -> Tensor:
        return self.block.query[:, :, self.skipped :]

    @property
    def key(self) -> Tensor:
        return self.block.key[:, :, self.skipped :]

    @property
    def features(self) -> Tensor:
        if self.proxy_features is None:
            raise ValueError("this host needs a proxy")
        return self.proxy_features


class Reading:
    """Windows of one shape, opened: what can be asked for any words without running the vision tower again."""

    def __init__(
        self,
        tower: Tower,
        attention: Tensor | None,
        values: Tensor,
        residual: Tensor | None,
        grid: tuple[int, int],
        row_sum: float,
    ) -> None:
        self._tower = tower
        self._attention = attention  # None, (B, N, M) or (B, H, N, M)
        self._values = values  # (B, M, D)
        self._residual = residual  # (B, N, D) where the host keeps it
        self._row_sum = row_sum
        self.grid = grid
        self._patches = grid[0] * grid[1]  # N; values that lead them are no patches

    @cached_property
    def first(self) -> Tensor:
        """The host's own patch embeddings before normalisation, (B, N, E), fp32."""
        return self._tower.read(attend(self._attention, self._values)[:, -self._patches :], self._residual)

    @cached_property
    def uniform(self) -> list[Tensor]:
        """What every patch of a window reads when it attends to all values alike, window by window.

        (1, N, E) each, or (1, 1, E) without residual, where all patches agree; before normalisation, fp32.
        """
        return [self._uniform(window) for window in self._windows]

    def _uniform(self, window: slice) -> Tensor:
        mean = self._values[window].mean(dim=1, keepdim=True) * self._row_sum
        if self._residual is None:
            return self._tower.read(mean)
        return self._tower.read(mean.expand_as(self._residual[window]), self._residual[window])

    @property
    def _windows(self) -> list[slice]:
        return [slice(index, index + 1) for index in range(len(self._values))]

    @torch.inference_mode()
    def embeddings(self, text: Tensor, feedback: FeedbackAttention | None) -> Tensor:
        """The patch embeddings for queries (C, E), with one pass of feedback unless it is None.

        The feedback takes a window at a time: products over a batch are rounded differently from those over one window,
        and the pruning would turn that into other neighbours. So only what the tower rounds differently is left.

        Returns:
            (B, N, E), fp32, before normalisation.
        """
        if feedback is None:
            return self.first
        return torch.cat([self._fed_back(index, window, text, feedback) for index, window in enumerate(self._windows)])

    def _fed_back(self, index: int, window: slice, text: Tensor, feedback: FeedbackAttention) -> Tensor:
        first, uniform = normalize(self.first[window], dim=-1), normalize(self.uniform[index], dim=-1)
        attention = None if self._attention is None else self._attention[window]
        residual = None if self._residual is None else self._residual[window]
        values = self._values[window]
        log_probabilities = feedback.log_probabilities(first, uniform, text)
        prefix = values.shape[1] - self._patches
        return self._tower.read(feedback.refine(attention, values, log_probabilities, prefix, self._row_sum), residual)

    @torch.inference_mode()
    def logits(self, text: Tensor, feedback: FeedbackAttention | None) -> Tensor:
        """Cosines of patches and queries on the host's grid: (B, C, h, w), fp32."""
        embeddings = normalize(self.embeddings(text, feedback), dim=-1)
        cosines = text.float() @ embeddings.transpose(1, 2)
        return cosines.unflatten(-1, self.grid)


@dataclass(frozen=True)
class Reader:
    """A tower with a host: opens normalised windows.

    `class_token` and `residual` are None for what the host published and the tower was aligned with; see `Host` and
    `Tower.reads_residual`.
    """

    tower: Tower
    host: Host
    proxy: Proxy | None = None
    class_token: bool | None = None
    residual: bool | None = None

    @property
    def sees_class_token(self) -> bool:
        if self.class_token is None:
            return self.host.sees_class_token
        return self.class_token and self.host.sees_class_token

    @property
    def keeps_residual(self) -> bool:
        if self.residual is None:
            return self.host.keeps_residual and self.tower.reads_residual
        return self.residual

    @torch.inference_mode()
    def open(self, windows: Tensor) -> Reading:
        """Run the tower and the proxy on RGB windows in [0, 1], (B, 3, height, width), sides in whole patches."""
        block = self.tower.open(normalised(windows, self.tower.mean, self.tower.std))
        features = None
        if self.proxy is not None:
            features = self.proxy(windows, self.tower, block).to(block.tokens.dtype)
        return self.read(block, features)

    @torch.inference_mode()
    def read(self, block: OpenBlock, features: Tensor | None = None) -> Reading:
        """The same from an opened block and the proxy's features (B, C, h, w)."""
        inputs = _HostInputs(block, self.sees_class_token, features)
        attention = self.host.attention(inputs)
        values = block.value.transpose(1, 2).flatten(2)[:, inputs.skipped :]
        residual = block.tokens[:, block.prefix :] if self.keeps_residual else None
        grid = block.grid
        if features is not None:
            grid = (features.shape[-2], features.shape[-1])
            values = resized_tokens(values, block.grid, grid)
            residual = None if residual is None else resized_tokens(residual, block.grid, grid)
        return Reading(self.tower, attention, values, residual, grid, self.host.row_sum)


def resized_tokens(tokens: Tensor, grid: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Patch tokens resized bilinearly from one grid to another: (B, h·w, D) to (B, h'·w', D)."""
    if grid == target:
        return tokens
    picture = tokens.transpose(1, 2).unflatten(-1, grid)
    return interpolate(picture, size=target, mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
