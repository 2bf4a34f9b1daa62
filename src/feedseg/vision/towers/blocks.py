"""The two ways in which transformers' models build a block, each for the towers that share it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from feedseg.vision.towers.base import Projection, VisionTower, native_grid, patch_side


class _Encoder(VisionTower):
    """A tower around one of transformers' vision models."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model: Any = model
        self.patch_size = patch_side(model.config)
        self.native_grid = self._grid_of(model.config)
        self.heads = model.config.num_attention_heads
        self.width = model.config.hidden_size

    def _grid_of(self, config: Any) -> tuple[int, int]:
        return native_grid(config)


class ClipBlocks(_Encoder):
    """Blocks like CLIP's: `CLIPVisionModel`, `MetaClip2VisionModel`, `SiglipVisionModel`, `Siglip2VisionModel`."""

    @property
    def blocks(self) -> nn.ModuleList:
        return self.model.encoder.layers

    def project_heads(self, block: int, which: Projection, tokens: Tensor) -> Tensor:
        layer: Any = self.blocks[block]
        attention = layer.self_attn
        projection = {"query": attention.q_proj, "key": attention.k_proj, "value": attention.v_proj}[which]
        return projection(layer.layer_norm1(tokens))

    def project_attended(self, attended: Tensor) -> Tensor:
        return self.model.encoder.layers[-1].self_attn.out_proj(attended)

    def normed(self, block: int, tokens: Tensor) -> Tensor:
        return self.model.encoder.layers[block].layer_norm1(tokens)

    def add_attended(self, block: int, tokens: Tensor, attended: Tensor) -> Tensor:
        return tokens + self.model.encoder.layers[block].self_attn.out_proj(attended)

    def add_feed_forward(self, block: int, tokens: Tensor) -> Tensor:
        layer: Any = self.blocks[block]
        return tokens + layer.mlp(layer.layer_norm2(tokens))

    def complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        return self.add_feed_forward(-1, residual + projected)

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.model.post_layernorm(tokens)


class LayerScaledBlocks(_Encoder):
    """Blocks like DINOv2's, with LayerScales: `Dinov2Model`, `Dinov2WithRegistersModel`, `Tipsv2VisionModel`."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
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

    def add_feed_forward(self, block: int, tokens: Tensor) -> Tensor:
        layer: Any = self.blocks[block]
        return tokens + layer.layer_scale2(layer.mlp(layer.norm2(tokens)))

    def complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        last: Any = self.blocks[-1]
        return self.add_feed_forward(-1, residual + last.layer_scale1(projected))

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.model.layernorm(tokens)
