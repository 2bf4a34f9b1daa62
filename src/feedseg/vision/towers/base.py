"""What the hosts need of a text-aligned vision transformer, whatever its family.

A tower is composed from the submodules of transformers' models, which are neither patched nor hooked. Shapes: B
windows, P leading tokens that are no patches (class token, registers), N patches, M = P + N, D the tower's width, H
heads of width d, E the joint embedding's size. Blocks count from 1, or from -1 for the last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from feedseg.errors import FeedsegError

if TYPE_CHECKING:
    from feedseg.vision.model import Model
    from feedseg.weights.checkpoint import Checkpoint

Projection = Literal["query", "key", "value"]


class VisionTower(nn.Module, ABC):
    """A vision transformer whose patches can be compared with text; windows come in normalised, sides in whole patches.

    The class attributes and those set by a family's `__init__` are its capabilities: whoever uses a tower asks these,
    and never which family it is.
    """

    reads_residual: ClassVar[bool] = True  # the joint projection was trained on the last residual and feed-forward
    reads_class_token: ClassVar[bool] = True  # the class token has a part in the patches' attention
    square_windows: ClassVar[bool] = True  # trained on squares: hosts' protocols suit; else whole images do
    default_proxy: ClassVar[str] = "dino-b8"  # for a host that uses one
    default_feedback: ClassVar[str] = "paper"  # whose constants suit the spread of its cosines

    patch_size: int
    native_grid: tuple[int, int]  # rows and columns of the patches that its position embeddings are for
    prefix: int  # P
    heads: int
    width: int  # D
    mean: tuple[float, float, float]  # of the normalisation, RGB in [0, 1]
    std: tuple[float, float, float]

    @property
    @abstractmethod
    def blocks(self) -> nn.ModuleList:
        """Every block; each is called with tokens (B, M, D) and None for no mask."""

    @abstractmethod
    def embed(self, pixels: Tensor) -> Tensor:
        """(B, 3, height, width) to the tokens that enter the first block, (B, M, D)."""

    @abstractmethod
    def project_heads(self, block: int, which: Projection, tokens: Tensor) -> Tensor:
        """Queries, keys or values of the tokens that enter a block (index from 0), behind its first norm: (B, M, D)."""

    @abstractmethod
    def project_attended(self, attended: Tensor) -> Tensor:
        """The last block's output projection: (B, R, D) to (B, R, D)."""

    @abstractmethod
    def normed(self, block: int, tokens: Tensor) -> Tensor:
        """The tokens that enter a block (index from 0), behind its first norm: (B, M, D)."""

    @abstractmethod
    def add_attended(self, block: int, tokens: Tensor, attended: Tensor) -> Tensor:
        """Tokens with what a block's attention adds to them, without its feed-forward: (B, R, D) twice to (B, R, D)."""

    @abstractmethod
    def add_feed_forward(self, block: int, tokens: Tensor) -> Tensor:
        """Tokens behind a block's attention with what its feed-forward adds to them: (B, R, D) to (B, R, D)."""

    @abstractmethod
    def complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        """The rest of the last block: residual, feed-forward, residual."""

    @abstractmethod
    def final_norm(self, tokens: Tensor) -> Tensor:
        """The encoder's own final layer norm."""

    @abstractmethod
    def join(self, tokens: Tensor) -> Tensor:
        """Final layer norm and projection into the joint space: (B, R, D) to (B, R, E)."""

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def forward(self, pixels: Tensor, taps: tuple[int, ...] = ()) -> tuple[Tensor, ...]:
        """The tokens (B, M, D) that enter the blocks of `taps` (indices from 0, ascending), then those of the last."""
        tapped = []
        tokens = self.embed(pixels.to(self.dtype))
        for index, block in enumerate(self.blocks[:-1]):
            if index in taps:
                tapped.append(tokens)
            tokens = block(tokens, None)
        return (*tapped, tokens)

    def encode(self, pixels: Tensor, taps: tuple[int, ...] = ()) -> TowerOutput:
        """Run all blocks but the last on normalised windows (B, 3, height, width).

        Args:
            taps: further blocks whose tokens are kept; blocks count from 1, or from -1 for the last.
        """
        height, width = pixels.shape[-2:]
        if height % self.patch_size or width % self.patch_size or not height or not width:
            raise ValueError(f"sides {height} × {width} are not whole patches of {self.patch_size} pixels")
        last = len(self.blocks) - 1
        indices = tuple(sorted({self.block_index(block) for block in taps} - {last}))
        tokens = dict(zip((*indices, last), self(pixels, indices), strict=True))
        return TowerOutput(self, tokens, (height // self.patch_size, width // self.patch_size))

    def block_index(self, block: int) -> int:
        """The index from 0 of a block that counts from 1, or from -1 for the last."""
        count = len(self.blocks)
        if not 1 <= abs(block) <= count:
            raise FeedsegError(f"the tower has blocks 1 to {count} (or -1 to -{count}), not {block}")
        return block - 1 if block > 0 else count + block

    def project(self, attended: Tensor, residual: Tensor | None = None) -> Tensor:
        """From the last attention's output (B, R, D) to joint embeddings (B, R, E), fp32, not normalised.

        `residual`, (B, R, D), keeps the last block's residual and feed-forward; None drops both.
        """
        tokens = self.project_attended(attended)
        if residual is not None:
            tokens = self.complete(tokens, residual)
        return self.join(tokens).float()


@dataclass(frozen=True, eq=False)
class Block:
    """A block with the tokens that enter it, as a host sees them; projections are computed when first asked for."""

    tower: VisionTower
    index: int  # from 0
    tokens: Tensor  # (B, M, D), the residual stream
    skipped: int = 0  # leading tokens that the host leaves out
    _projections: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def prefix(self) -> int:
        """Leading tokens that the host sees."""
        return self.tower.prefix - self.skipped

    @property
    def patches(self) -> Tensor:
        """The residual stream of the patches, (B, N, D)."""
        return self.tokens[:, self.tower.prefix :]

    def projection(self, which: Projection) -> Tensor:
        """Queries, keys or values of all tokens, skipped ones too: (B, H, P + N, d)."""
        if which not in self._projections:
            projected = self.tower.project_heads(self.index, which, self.tokens)
            self._projections[which] = projected.unflatten(-1, (self.tower.heads, -1)).transpose(1, 2)
        return self._projections[which]

    @property
    def query(self) -> Tensor:
        """(B, H, M, d)."""
        return self.projection("query")[:, :, self.skipped :]

    @property
    def key(self) -> Tensor:
        """(B, H, M, d)."""
        return self.projection("key")[:, :, self.skipped :]

    @property
    def values(self) -> Tensor:
        """The heads side by side, (B, M, D)."""
        return self.projection("value").transpose(1, 2).flatten(2)[:, self.skipped :]

    @property
    def values_by_head(self) -> Tensor:
        """(B, H, M, d)."""
        return self.projection("value")[:, :, self.skipped :]

    def attention(self) -> Tensor:
        """The block's own attention among the tokens that the host sees, softmax(q kᵀ / √d): (B, H, M, M)."""
        scale = self.query.shape[-1] ** -0.5
        scores = (self.query * scale) @ self.key.transpose(-1, -2)
        return scores.softmax(dim=-1, dtype=torch.float32).to(scores.dtype)


@dataclass(frozen=True, eq=False)
class TowerOutput:
    """What a tower makes of windows of one shape: the tokens that enter its last block, and those of tapped ones."""

    tower: VisionTower
    tokens: Mapping[int, Tensor]  # by the block's index from 0, (B, M, D)
    grid: tuple[int, int]  # rows and columns of the patches
    skipped: int = 0  # leading tokens that the host leaves out
    pixels: Tensor | None = None  # the windows themselves, RGB in [0, 1], (B, 3, height, width), where they are at hand

    @cached_property
    def last(self) -> Block:
        """The last block."""
        return self.block(-1)

    def block(self, block: int) -> Block:
        """A block that was tapped; blocks count from 1, or from -1 for the last."""
        index = self.tower.block_index(block)
        if index not in self.tokens:
            raise FeedsegError(f"block {block} was not tapped: a host names in `taps` the blocks that it looks at")
        return Block(self.tower, index, self.tokens[index], self.skipped)

    def final_tokens(self) -> Tensor:
        """The tower's own final patch tokens behind its final norm: (B, D, h, w).

        Completes the last block from the projections that the host shares, so that no block runs twice.
        """
        query, key, value = (self.last.projection(which) for which in ("query", "key", "value"))
        attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = self.tower.final_norm(self.tower.complete(self.tower.project_attended(attended), self.last.tokens))
        return tokens[:, self.tower.prefix :].transpose(1, 2).unflatten(-1, self.grid)

    def windows(self) -> Iterator[TowerOutput]:
        """Every window alone, B = 1."""
        count = len(self.tokens[max(self.tokens)])
        if count == 1:  # what was computed for it so far stays
            yield self
            return
        for index in range(count):
            tokens = {block: tokens[index : index + 1] for block, tokens in self.tokens.items()}
            yield replace(self, tokens=tokens, pixels=None if self.pixels is None else self.pixels[index : index + 1])


class TowerFamily(ABC):
    """How the towers of a family are made from files. A family is one file."""

    model_types: ClassVar[tuple[str, ...]]  # what transformers' config.json calls them

    def has_own_layout(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is in a layout of this family's own, and not in transformers'."""
        return False

    def open(self, checkpoint: Checkpoint) -> Model:
        """A tower with the text encoder that comes with it.

        Raises:
            FeedsegError: the family has no text encoder of its own, or the files are not usable.
        """
        raise FeedsegError(
            f"{checkpoint.source} is a {'/'.join(self.model_types)} model without text: as the model it needs a "
            "manifest with a projection; to use it as a proxy, say so"
        )

    def open_aligned(
        self,
        checkpoint: Checkpoint,
        norm: Mapping[str, Tensor],
        projection: Tensor,
        eps: float,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> VisionTower:
        """A tower without text of its own, with a joint projection that a manifest names.

        Args:
            norm: "weight" and "bias", (D,), of the layer norm before the projection.
            projection: (D, E).
            eps: of the layer norm.
            mean, std: of the normalisation, RGB in [0, 1].

        Raises:
            FeedsegError: the family takes no such projection, or the files are not usable.
        """
        raise FeedsegError(f"{checkpoint.source} is no tower that a manifest can align")


def patch_side(config: Any) -> int:
    """The side of a patch in pixels; transformers' configurations may hold one number or two."""
    side = config.patch_size
    height, width = side if isinstance(side, (tuple, list)) else (side, side)
    if height != width:
        raise FeedsegError(f"patches of {height} × {width} pixels are not square")
    return int(height)


def native_grid(config: Any) -> tuple[int, int]:
    """Rows and columns of the patches at the size that a configuration is for."""
    side = config.image_size
    height, width = side if isinstance(side, (tuple, list)) else (side, side)
    patch = patch_side(config)
    return height // patch, width // patch
