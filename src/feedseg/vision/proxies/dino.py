"""DINO (Caron et al., ICCV 2021)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from feedseg.vision.ops import patch_tokens
from feedseg.vision.proxies.base import ProxyFamily
from feedseg.vision.towers.base import patch_side


def dino_features(model: Any, pixels: Tensor) -> Tensor:
    """Its final patch tokens, position embeddings resized to the windows: (B, C, h, w)."""
    tokens = model(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state
    return patch_tokens(tokens, pixels, patch_side(model.config))


PROXY = ProxyFamily(("vit",), ("ViTModel",), dino_features, {"add_pooling_layer": False})
