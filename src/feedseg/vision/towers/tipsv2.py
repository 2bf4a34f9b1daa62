"""TIPSv2 (Google DeepMind, 2026), from transformers' layout: patches are trained to be comparable with text.

A patch is what the encoder makes of it behind its final norm; there is no projection. The publication reads it from the
last block's values with residual and feed-forward kept, which is the host `maskclip` with `residual=True`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from feedseg.vision.model import Model
from feedseg.vision.ops import smoothly_resized
from feedseg.vision.text.padded import PaddedTextEncoder, load_padded_tokenizer
from feedseg.vision.towers.base import TowerFamily
from feedseg.vision.towers.blocks import LayerScaledBlocks
from feedseg.weights.checkpoint import Checkpoint
from feedseg.weights.modules import load_module

TEMPLATES = (  # of TCL (Cha et al., CVPR 2023), by which its segmentation is published
    "itap of a {}.",
    "a bad photo of a {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
    "a photo of many {}.",
    "a photo of {}s.",
)


class Tipsv2Tower(LayerScaledBlocks):
    """A TIPSv2 encoder, of any size. It has two class tokens, the second in a register's place."""

    default_feedback = "calibrated"  # the paper's constants are for CLIP's spread of cosines
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # trained on RGB in [0, 1]

    def embed(self, pixels: Tensor) -> Tensor:
        """As transformers' own embeddings, whose size is a constant when they are traced."""
        embeddings: Any = self.model.embeddings
        table, grid = embeddings.position_embeddings[0], self.native_grid
        patches = embeddings.patch_embeddings(pixels)
        sides = (pixels.shape[-2] // self.patch_size, pixels.shape[-1] // self.patch_size)
        patches = patches + smoothly_resized(table[1:], grid, sides)
        leading = torch.cat((embeddings.cls_token + table[:1], embeddings.register_tokens), dim=1)
        return torch.cat((leading.expand(pixels.shape[0], -1, -1), patches), dim=1)

    def project_attended(self, attended: Tensor) -> Tensor:
        """With the block's LayerScale: the final norm was trained on what it lets through, channel by channel."""
        last: Any = self.blocks[-1]
        return last.layer_scale1(last.attention.o_proj(attended))

    def complete(self, projected: Tensor, residual: Tensor) -> Tensor:
        return self.add_feed_forward(-1, residual + projected)  # scaled already

    def join(self, tokens: Tensor) -> Tensor:
        return self.final_norm(tokens)


class Tipsv2Family(TowerFamily):
    """`Tipsv2Model` checkpoints."""

    model_types = ("tipsv2",)

    def open(self, checkpoint: Checkpoint) -> Model:
        from tokenizers.normalizers import Lowercase

        tips = load_module(checkpoint, "Tipsv2Model")
        tower = Tipsv2Tower(tips.vision_model)
        length = tips.config.text_config.max_position_embeddings
        tokenizer = load_padded_tokenizer(checkpoint, length, [Lowercase()], ends=False)
        text = PaddedTextEncoder(
            tips.text_model, tokenizer, checkpoint.revision, sees_padding=False, templates=TEMPLATES
        )
        return Model(tower, text, checkpoint.source, checkpoint.revision)


TOWER = Tipsv2Family()
