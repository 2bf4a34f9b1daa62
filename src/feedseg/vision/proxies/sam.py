"""SAM's image encoder (Kirillov et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.vision.proxies.base import ProxyFamily


def sam_features(model: Any, pixels: Tensor) -> Tensor:
    """The channels after its neck, (B, C, h, w). It takes one size only, 1024 pixels, to which windows are resized."""
    side = model.config.image_size
    square = interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False)
    return model(pixel_values=square).last_hidden_state


PROXY = ProxyFamily(("sam", "sam_vision_model"), ("SamVisionModel", "SamVisionModel"), sam_features, any_size=True)
