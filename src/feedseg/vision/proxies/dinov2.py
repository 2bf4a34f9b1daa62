"""DINOv2 (Oquab et al., 2023), with and without registers, and DINOv3 (Siméoni et al., 2025)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from feedseg.vision.ops import patch_tokens
from feedseg.vision.proxies.base import ProxyFamily
from feedseg.vision.towers.base import patch_side


def dinov2_features(model: Any, pixels: Tensor) -> Tensor:
    """Its final patch tokens, (B, C, h, w). It adapts to the size by itself; registers lead the patches."""
    return patch_tokens(model(pixel_values=pixels).last_hidden_state, pixels, patch_side(model.config))


PROXY = ProxyFamily(
    ("dinov2", "dinov2_with_registers", "dinov3_vit"),
    ("Dinov2Model", "Dinov2WithRegistersModel", "DINOv3ViTModel"),
    dinov2_features,
)
