"""A text-aligned vision transformer, opened at its last block.

Composed from the submodules of transformers' models, which are neither patched nor hooked, but for one activation that
`feedseg.weights.modules` folds into the weights beside it. Shapes: B pictures, P leading tokens that are no patches
(class token, registers), N patches, M = P + N, D the tower's width, H heads of width d, E the joint embedding's size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from feedseg.errors import FeedsegError

if TYPE_CHECKING:
    from transformers import CLIPVisionModel, Dinov2Model


class OpenBlock:
    """The last block with the tokens that enter it; its projections are computed when first asked for."""

    def __init__(
        self, tokens: Tensor, grid: tuple[int, int], prefix: int, heads: int, project: Callable[[str, Tensor], Tensor]
    ) -> None:
        self.tokens = tokens  # (B, M, D), the residual stream
        self.grid = grid
        self.prefix = prefix
        self.heads = heads
        self._project = project

    def _projection(self, which: str) -> Tensor:
        return self._project(which, self.tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)

    @cached_property
    def query(self) -> Tensor:
        """(B, H, M, d)."""
        return self._projection("query")

    @cached_property
    def key(self) -> Tensor:
        """(B, H, M, d)."""
        return self._projection("key")

    @cached_property
    def value(self) -> Tensor:
        """(B, H, M, d)."""
        return self._projection("value")


class Tower(ABC):
    """What the hosts need of a text-aligned vision transformer; pictures come in normalised, sides in whole patches."""

    patch_size: int
    heads: int
    width: int  # D
    prefix: int  # P
    reads_residual: bool  # whether the joint projection was trained on the last block's residual and feed-forward
    mean: tuple[float, float, float]  # of the normalisation, RGB in [0, 1]
    std: tuple[float, float, float]
    module: nn.Module  # holds every parameter

    @abstractmethod
    def _embed(self, pictures: Tensor) -> Tensor:
        """(B, 3, height, width) to the tokens that enter the first block, (B, M, D)."""

    @property
    @abstractmethod
    def _blocks(self) -> Any:
        """Every block, a module list."""

    @abstractmethod
    def _project(self, which: str, tokens: Tensor) -> Tensor:
        """The last block's "query", "key" or "value" of the tokens, behind its first layer norm: (B, M, D)."""

    @abstractmethod
    def _project_output(self, attended: Tensor) -> Tensor:
        """The last block's output projection."""

    @abstractmethod
    def _complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        """The rest of the last block: residual, feed-forward, residual."""

    @abstractmethod
    def _norm(self, tokens: Tensor) -> Tensor:
        """The encoder's own final layer norm."""

    @abstractmethod
    def _join(self, tokens: Tensor) -> Tensor:
        """Final layer norm and projection into the joint space: (B, N, D) to (B, N, E)."""

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.module.parameters()).dtype

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move every parameter."""
        self.module.to(device=device, dtype=dtype)

    def open(self, pictures: Tensor) -> OpenBlock:
        """Run all blocks but the last on normalised pictures (B, 3, height, width)."""
        height, width = pictures.shape[-2:]
        if height % self.patch_size or width % self.patch_size or not height or not width:
            raise ValueError(f"sides {height} × {width} are not whole patches of {self.patch_size} pixels")
        tokens = self._embed(pictures.to(self.dtype))
        for block in self._blocks[:-1]:
            tokens = block(tokens, None)
        grid = (height // self.patch_size, width // self.patch_size)
        return OpenBlock(tokens, grid, self.prefix, self.heads, self._project)

    def read(self, attended: Tensor, residual: Tensor | None = None) -> Tensor:
        """From an attention's output (B, R, D) to joint embeddings (B, R, E), fp32, as long as they come out.

        `residual`, (B, R, D), keeps the last block's residual and feed-forward; None drops both.
        """
        tokens = self._project_output(attended)
        if residual is not None:
            tokens = self._complete(tokens, residual)
        return self._join(tokens).float()

    def features(self, block: OpenBlock) -> Tensor:
        """The tower's own final patch tokens behind its final norm, as proxy features: (B, D, h, w).

        Completes the last block from the projections that the hosts share, so that no block runs twice.
        """
        attended = scaled_dot_product_attention(block.query, block.key, block.value).transpose(1, 2).flatten(2)
        tokens = self._norm(self._complete(self._project_output(attended), block.tokens))
        return tokens[:, block.prefix :].transpose(1, 2).unflatten(-1, block.grid)


class ClipTower(Tower):
    """The vision half of a CLIP: `CLIPVisionModel` and the visual projection, of any size and origin."""

    prefix = 1
    reads_residual = True

    def __init__(
        self,
        model: CLIPVisionModel,
        projection: nn.Linear,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        self.module = nn.ModuleDict({"model": model, "projection": projection})
        self._model = model
        self._projection = projection
        self.mean, self.std = mean, std
        self.patch_size = patch_side(model.config)
        self.heads = model.config.num_attention_heads
        self.width = model.config.hidden_size
        self._last: Any = model.encoder.layers[-1]
        self._positions: dict[tuple[int, int], Tensor] = {}

    @property
    def _blocks(self) -> Any:
        return self._model.encoder.layers

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self._positions.clear()
        super().to(device, dtype)

    def _embed(self, pictures: Tensor) -> Tensor:
        embeddings = self._model.embeddings
        patches = embeddings.patch_embedding(pictures)
        grid = (patches.shape[-2], patches.shape[-1])
        class_token = embeddings.class_embedding.expand(len(pictures), 1, -1)
        tokens = torch.cat((class_token, patches.flatten(2).transpose(1, 2)), dim=1)
        if grid not in self._positions:
            self._positions[grid] = resize_positions(embeddings.position_embedding.weight, grid)
        return self._model.pre_layrnorm(tokens + self._positions[grid])

    def _project(self, which: str, tokens: Tensor) -> Tensor:
        attention = self._last.self_attn
        projection = {"query": attention.q_proj, "key": attention.k_proj, "value": attention.v_proj}[which]
        return projection(self._last.layer_norm1(tokens))

    def _project_output(self, attended: Tensor) -> Tensor:
        return self._last.self_attn.out_proj(attended)

    def _complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        tokens = residual + projected
        return tokens + self._last.mlp(self._last.layer_norm2(tokens))

    def _norm(self, tokens: Tensor) -> Tensor:
        return self._model.post_layernorm(tokens)

    def _join(self, tokens: Tensor) -> Tensor:
        return self._projection(self._norm(tokens))


class Dinov2Tower(Tower):
    """A DINOv2 encoder with a joint projection trained on its last attention's output.

    Such an alignment reads a patch without the last block's LayerScale, residual and feed-forward, behind a layer norm
    of its own (`norm`) and a matrix (`projection`, D × E).
    """

    reads_residual = False

    def __init__(
        self,
        model: Dinov2Model,
        norm: nn.LayerNorm,
        projection: Tensor,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        self._join_norm = norm
        self._joint = nn.Linear(*projection.shape, bias=False)
        self._joint.weight = nn.Parameter(projection.T.contiguous(), requires_grad=False)
        self.module = nn.ModuleDict({"model": model, "norm": norm, "projection": self._joint})
        self._model = model
        self.mean, self.std = mean, std
        self.patch_size = patch_side(model.config)
        self.heads = model.config.num_attention_heads
        self.width = model.config.hidden_size
        self.prefix = 1 + getattr(model.config, "num_register_tokens", 0)
        self._last: Any = model.encoder.layer[-1]

    @property
    def _blocks(self) -> Any:
        return self._model.encoder.layer

    def _embed(self, pictures: Tensor) -> Tensor:
        return self._model.embeddings(pictures)

    def _project(self, which: str, tokens: Tensor) -> Tensor:
        attention = self._last.attention
        projection = {"query": attention.q_proj, "key": attention.k_proj, "value": attention.v_proj}[which]
        return projection(self._last.norm1(tokens))

    def _project_output(self, attended: Tensor) -> Tensor:
        return self._last.attention.o_proj(attended)

    def _complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        tokens = residual + self._last.layer_scale1(projected)
        return tokens + self._last.layer_scale2(self._last.mlp(self._last.norm2(tokens)))

    def _norm(self, tokens: Tensor) -> Tensor:
        return self._model.layernorm(tokens)

    def _join(self, tokens: Tensor) -> Tensor:
        return self._joint(self._join_norm(tokens))


def patch_side(config: Any) -> int:
    """The side of a patch in pixels; transformers' configurations may hold one number or two."""
    side = config.patch_size
    height, width = side if isinstance(side, (tuple, list)) else (side, side)
    if height != width:
        raise FeedsegError(f"patches of {height} × {width} pixels are not square")
    return int(height)


def normalised(pictures: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(pictures − mean) / std per channel: (B, 3, height, width)."""
    return (pictures - pictures.new_tensor(mean)[:, None, None]) / pictures.new_tensor(std)[:, None, None]


def resize_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """A CLIP's position embeddings for another grid: (1 + n², D) to (1 + h·w, D), the class token's first.

    Bicubic with the scale factor (side + 0.1) / n, as the reference implementations of the hosts do it; transformers
    passes the target size instead, whose numbers differ slightly. Computed in fp32.
    """
    native = round((len(table) - 1) ** 0.5)
    if grid == (native, native):
        return table
    square = table[1:].float().T.unflatten(-1, (native, native))[None]
    scale = tuple((side + 0.1) / native for side in grid)
    resized = interpolate(square, scale_factor=scale, mode="bicubic", align_corners=False)
    if resized.shape[-2:] != grid:  # the reference's floor of n · (side + 0.1) / n, which must be `side`
        raise ValueError(f"position embeddings of {native} × {native} do not resize to {grid[0]} × {grid[1]}")
    return torch.cat((table[:1], resized[0].flatten(1).T.to(table.dtype)))
