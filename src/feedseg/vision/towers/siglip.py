"""SigLIP (Zhai et al., 2023) and SigLIP 2 (Tschannen et al., 2025), of fixed resolution and NaFlex.

Their image embedding is pooled by an attention whose values every patch has, too: what the pooling head makes of a
sequence of one patch is that patch in the joint space.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate, linear

from feedseg.errors import FeedsegError
from feedseg.vision.model import Model
from feedseg.vision.text.clip import ClipTextEncoder, PromptForm, load_tokenizer
from feedseg.vision.towers.base import Projection, TowerFamily, VisionTower, native_grid, patch_side
from feedseg.weights.checkpoint import Checkpoint, read_config
from feedseg.weights.modules import Channels, load_module, normalisation_of

HALF: Channels = (0.5, 0.5, 0.5)  # mean and standard deviation of the normalisation


class SiglipTower(VisionTower):
    """The vision half of a `SiglipModel`. It has no class token."""

    reads_class_token = False
    default_proxy = "self"
    default_feedback = "calibrated"
    prefix = 0

    def __init__(self, model: Any, mean: Channels, std: Channels) -> None:
        """`model` is a `SiglipVisionModel` with its pooling head."""
        super().__init__()
        self.model: Any = model
        self.mean, self.std = mean, std
        self.patch_size = patch_side(model.config)
        self.native_grid = self.grid_of(model.config)
        self.heads = model.config.num_attention_heads
        self.width = model.config.hidden_size

    def grid_of(self, config: Any) -> tuple[int, int]:
        return native_grid(config)

    @property
    def blocks(self) -> nn.ModuleList:
        return self.model.encoder.layers

    def embed(self, pixels: Tensor) -> Tensor:
        embeddings = self.model.embeddings
        patches = embeddings.patch_embedding(pixels)
        table = embeddings.position_embedding.weight
        return patches.flatten(2).transpose(1, 2) + resized_table(table, self.native_grid, patches.shape[-2:])

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

    def complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        last = self.model.encoder.layers[-1]
        tokens = residual + projected
        return tokens + last.mlp(last.layer_norm2(tokens))

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.model.post_layernorm(tokens)

    def join(self, tokens: Tensor) -> Tensor:
        """The pooling head on every token alone, whose attention is then 1: u = W_o W_v h, then u + MLP(LN u)."""
        head, width = self.model.head, self.width
        weight, bias = head.attention.in_proj_weight[2 * width :], head.attention.in_proj_bias[2 * width :]
        pooled = head.attention.out_proj(linear(self.final_norm(tokens), weight, bias))
        return pooled + head.mlp(head.layernorm(pooled))


class NaflexTower(SiglipTower):
    """The vision half of a `Siglip2Model`, which was trained on images of all shapes."""

    square_windows = False

    def grid_of(self, config: Any) -> tuple[int, int]:
        side = math.isqrt(config.num_patches)
        return side, side

    def embed(self, pixels: Tensor) -> Tensor:
        embeddings = self.model.embeddings
        side, grid = self.patch_size, (pixels.shape[-2] // self.patch_size, pixels.shape[-1] // self.patch_size)
        patches = pixels.unflatten(-1, (-1, side)).unflatten(-3, (-1, side))  # (B, 3, h, side, w, side)
        rows = patches.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # colours run fastest, as in its processor
        square = embeddings.position_embedding.weight.float().T.unflatten(-1, self.native_grid)[None]
        resized = interpolate(square, size=grid, mode="bilinear", align_corners=False, antialias=True)
        return embeddings.patch_embedding(rows) + resized[0].flatten(1).T.to(rows.dtype)


def resized_table(table: Tensor, native: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Position embeddings for another grid, (n, D) to (h·w, D): bicubic to that size, in fp32, as transformers does."""
    if tuple(grid) == native:
        return table
    square = table.float().T.unflatten(-1, native)[None]
    resized = interpolate(square, size=tuple(grid), mode="bicubic", align_corners=False)
    return resized[0].flatten(1).T.to(table.dtype)


CLASSES = {"siglip": ("SiglipModel", SiglipTower), "siglip2": ("Siglip2Model", NaflexTower)}


class SiglipFamily(TowerFamily):
    """`SiglipModel` checkpoints, which those of SigLIP 2 of fixed resolution are, too, and `Siglip2Model` ones."""

    model_types = tuple(CLASSES)

    def open(self, checkpoint: Checkpoint) -> Model:
        class_name, tower = CLASSES[read_config(checkpoint)["model_type"]]
        whole = load_module(checkpoint, class_name)
        if not getattr(whole.vision_model, "use_head", False):
            raise FeedsegError(f"{checkpoint.source} has no pooling head, through which patches are compared with text")
        mean, std = normalisation_of(checkpoint, HALF, HALF)
        form = PromptForm(lower=True, padded=True, masked=False)  # the text is read from the last place, padded or not
        text = ClipTextEncoder(whole.text_model, nn.Identity(), load_tokenizer(checkpoint), checkpoint.revision, form)
        return Model(tower(whole.vision_model, mean, std), text, checkpoint.source, checkpoint.revision)


TOWER = SiglipFamily()
