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

from feedseg.vision.feedback.base import Feedback, LastAttention, Rereading
from feedseg.vision.hosts.attention import Host
from feedseg.vision.proxies.base import Proxy
from feedseg.vision.towers.base import OpenBlock, Tower, normalised


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


@dataclass(frozen=True)
class _OpenedWindow:
    """One window: its tower's last attention, and how patches are read from it. B is 1."""

    tower: Tower
    last: LastAttention
    residual: Tensor | None  # (1, N, D) where the host keeps it

    def read(self, attended: Tensor) -> Tensor:
        return self.tower.read(attended, self.residual)

    @cached_property
    def first(self) -> Tensor:
        """The host's own patch embeddings before normalisation, (1, N, E), fp32."""
        return self.read(self.last.attended)

    @cached_property
    def uniform(self) -> Tensor:
        """What every patch reads when it attends to all values alike, before normalisation, fp32.

        (1, N, E), or (1, 1, E) without residual, where all patches agree.
        """
        mean = self.last.uniform
        return self.read(mean if self.residual is None else mean.expand_as(self.residual))

    @property
    def units(self) -> tuple[Tensor, Tensor]:
        """Both readings at unit length."""
        return normalize(self.first, dim=-1), normalize(self.uniform, dim=-1)

    def embeddings(self, text: Tensor, feedback: Rereading) -> Tensor:
        return feedback.reread(self.last, *self.units, text, self.read)

    def correspondence(self, text: Tensor, feedback: Feedback) -> Tensor:
        return feedback.correspondence(self.last, feedback.isolate(*self.units, text))(slice(None))


class Reading:
    """Windows of one shape, opened: what can be asked for any words without running the vision tower again.

    From here on windows go one at a time: products over a batch are rounded differently from those over one window, and
    the pruning would turn that into other neighbours. So only what the tower rounds differently is left.
    """

    def __init__(
        self,
        tower: Tower,
        attention: Tensor | None,
        values: Tensor,
        residual: Tensor | None,
        grid: tuple[int, int],
        row_sum: float,
    ) -> None:
        """`attention` is None, (B, N, M) or (B, H, N, M); `values` (B, M, D); `residual` None or (B, N, D)."""
        self.grid = grid
        prefix = values.shape[1] - grid[0] * grid[1]  # values that lead the patches' are no patches
        self._windows = []
        for index in range(len(values)):
            window = slice(index, index + 1)
            weights = None if attention is None else attention[window]
            last = LastAttention(weights, values[window], prefix, row_sum, grid)
            self._windows.append(_OpenedWindow(tower, last, None if residual is None else residual[window]))

    @property
    def first(self) -> Tensor:
        """The host's own patch embeddings before normalisation, (B, N, E), fp32."""
        return torch.cat([window.first for window in self._windows])

    @torch.inference_mode()
    def embeddings(self, text: Tensor, feedback: Rereading | None) -> Tensor:
        """The patch embeddings for queries (C, E), with feedback unless it is None: (B, N, E), fp32, not normalised."""
        if feedback is None:
            return self.first
        return torch.cat([window.embeddings(text, feedback) for window in self._windows])

    @torch.inference_mode()
    def correspondences(self, text: Tensor, feedback: Feedback) -> Tensor:
        """F of the first pass, whole, to look at: which patches each patch is read with, (B, N, N), fp32."""
        return torch.cat([window.correspondence(text, feedback) for window in self._windows])

    @torch.inference_mode()
    def logits(self, text: Tensor, feedback: Rereading | None) -> Tensor:
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
