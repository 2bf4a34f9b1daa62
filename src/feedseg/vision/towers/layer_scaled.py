"""Encoders built like DINOv2: a LayerScale behind the attention and behind the feed-forward of every block."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from feedseg.vision.towers.base import Projection, VisionTower, native_grid, patch_side
from feedseg.weights.modules import Channels


class LayerScaledTower(VisionTower):
    """All of such a tower but what leads to the joint space."""

    def __init__(self, model: Any, mean: Channels, std: Channels) -> None:
        """`model` is `Dinov2Model`, `Dinov2WithRegistersModel` or `Tipsv2VisionModel`."""
        super().__init__()
        self.model: Any = model
        self.mean, self.std = mean, std
        self.patch_size = patch_side(model.config)
        self.native_grid = native_grid(model.config)
        self.heads = model.config.num_attention_heads
        self.width = model.config.hidden_size
        self.prefix = 1 + getattr(model.config, "num_register_tokens", 0)

    @property
    def blocks(self) -> nn.ModuleList:
        return self.model.encoder.layer

    def embed(self, pixels: Tensor) -> Tensor:
        return self.model.embeddings(pixels)

    def project_heads(self, block: int, which: Projection, tokens: Tensor) -> Tensor:
        layer: Any = self.blocks[block]
        attention = layer.attention
        projection = {"query": attention.q_proj, "key": attention.k_proj, "value": attention.v_proj}[which]
        return projection(layer.norm1(tokens))

    def project_attended(self, attended: Tensor) -> Tensor:
        return self.model.encoder.layer[-1].attention.o_proj(attended)

    def normed(self, block: int, tokens: Tensor) -> Tensor:
        return self.model.encoder.layer[block].norm1(tokens)

    def add_attended(self, block: int, tokens: Tensor, attended: Tensor) -> Tensor:
        layer: Any = self.blocks[block]
        return tokens + layer.layer_scale1(layer.attention.o_proj(attended))

    def complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        last = self.model.encoder.layer[-1]
        tokens = residual + last.layer_scale1(projected)
        return tokens + last.layer_scale2(last.mlp(last.norm2(tokens)))

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.model.layernorm(tokens)

    @abstractmethod
    def join(self, tokens: Tensor) -> Tensor: ...
