"""C-RADIO (Ranzinger et al., 2024): one encoder that agrees with several."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from feedseg.vision.proxies.base import ProxyFamily
from feedseg.vision.towers.base import patch_side


def radio_features(model: Any, pixels: Tensor) -> Tensor:
    """Its final patch tokens, (B, C, h, w). It adapts to the size by itself, and normalises the windows, too."""
    height, width = (length // patch_side(model.config) for length in pixels.shape[-2:])
    return model(pixel_values=pixels).features.transpose(1, 2).unflatten(-1, (height, width))


PROXY = ProxyFamily(("radio",), ("RadioModel",), radio_features, normalises=True)
