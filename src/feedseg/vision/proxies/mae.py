"""MAE (He et al., CVPR 2022)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from feedseg.vision.ops import patch_tokens
from feedseg.vision.proxies.base import ProxyFamily
from feedseg.vision.towers.base import patch_side


def mae_features(model: Any, pixels: Tensor) -> Tensor:
    """Its final patch tokens, (B, C, h, w): nothing is masked, and rising noise keeps the patches in their order."""
    patch_size = patch_side(model.config)
    count = (pixels.shape[-2] // patch_size) * (pixels.shape[-1] // patch_size)
    noise = torch.arange(count, device=pixels.device, dtype=torch.float32).expand(len(pixels), -1)
    tokens = model(pixel_values=pixels, noise=noise, interpolate_pos_encoding=True).last_hidden_state
    return patch_tokens(tokens, pixels, patch_size)


PROXY = ProxyFamily(("vit_mae",), ("ViTMAEModel",), mae_features, {"config_changes": {"mask_ratio": 0.0}})
