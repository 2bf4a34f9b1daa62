"""Proxy encoders: where ProxyCLIP's attention comes from, one small adapter each.

A proxy turns RGB windows in [0, 1], (B, 3, height, width), into features (B, C, h, w): the encoder's final, normed
patch tokens. Each adapter runs transformers' own forward pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.errors import FeedsegError
from feedseg.vision.towers.base import OpenBlock, Tower, normalised, patch_side
from feedseg.weights.catalog import repository_of
from feedseg.weights.checkpoint import Checkpoint, find_checkpoint, read_config
from feedseg.weights.modules import load_module, normalisation_of

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Features = Callable[[Tensor], Tensor]


class Proxy(ABC):
    """Features of windows; `patch_size` is what the windows' sides must be a multiple of."""

    patch_size: int = 1
    name: str
    kind: str = ""  # transformers' model type, where it has one

    @property
    def revision(self) -> str:
        """Which weights these are; empty for what has none of its own."""
        return ""

    @abstractmethod
    def __call__(self, windows: Tensor, tower: Tower, block: OpenBlock) -> Tensor:
        """Features (B, C, h, w) of RGB windows in [0, 1] that `tower` has opened as `block`."""

    def to(self, device: torch.device, dtype: torch.dtype) -> None:  # noqa: B027 -- most have nothing to move
        """Move every parameter."""


class FunctionProxy(Proxy):
    """Any function from RGB windows in [0, 1] to features (B, C, h, w).

    Where it takes sides in whole patches only, it says so by an attribute `patch_size`, or it is said here.
    """

    def __init__(self, function: Features, patch_size: int | None = None) -> None:
        self._function = function
        self.patch_size = patch_size or int(getattr(function, "patch_size", 1))
        self.name = getattr(function, "__name__", type(function).__name__)

    def __call__(self, windows: Tensor, tower: Tower, block: OpenBlock) -> Tensor:
        features = self._function(windows)
        if features.dim() != 4 or len(features) != len(windows):
            raise ValueError(f"a proxy returns features (B, C, h, w), not {tuple(features.shape)}")
        return features


class SelfProxy(Proxy):
    """The tower's own final patch tokens: no second encoder."""

    name = "self"

    def __call__(self, windows: Tensor, tower: Tower, block: OpenBlock) -> Tensor:
        return tower.features(block)


class EncoderProxy(Proxy):
    """A pretrained encoder behind one of the adapters below."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        kind = read_config(checkpoint).get("model_type")
        if kind not in ADAPTERS:
            raise FeedsegError(
                f"{checkpoint.source} is a {kind!r} model, which is no known proxy; known are {', '.join(ADAPTERS)}"
            )
        class_name, self._features, options = ADAPTERS[kind]
        self._model = load_module(checkpoint, class_name, **options)
        self._mean, self._std = normalisation_of(checkpoint, IMAGENET_MEAN, IMAGENET_STD)
        # SAM resizes every window to its own square, so any side will do
        self.patch_size = 1 if kind.startswith("sam") else patch_side(self._model.config)
        self.name = checkpoint.source
        self.kind = kind
        self._checkpoint = checkpoint

    @property
    def revision(self) -> str:
        return self._checkpoint.revision

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self._model.to(device=device, dtype=dtype)

    def __call__(self, windows: Tensor, tower: Tower, block: OpenBlock) -> Tensor:
        dtype = next(self._model.parameters()).dtype
        return self._features(self._model, normalised(windows, self._mean, self._std).to(dtype))


def patch_tokens(tokens: Tensor, pictures: Tensor, patch_size: int) -> Tensor:
    """The patches among tokens (B, P + N, C), laid out as the pictures: (B, C, h, w)."""
    grid = (pictures.shape[-2] // patch_size, pictures.shape[-1] // patch_size)
    return tokens[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(-1, grid)


def dino_features(model: Any, pictures: Tensor) -> Tensor:
    tokens = model(pixel_values=pictures, interpolate_pos_encoding=True).last_hidden_state
    return patch_tokens(tokens, pictures, patch_side(model.config))


def dinov2_features(model: Any, pictures: Tensor) -> Tensor:
    """DINOv2 and DINOv3 adapt to the size by themselves; registers lead the patches."""
    return patch_tokens(model(pixel_values=pictures).last_hidden_state, pictures, patch_side(model.config))


def mae_features(model: Any, pictures: Tensor) -> Tensor:
    """Nothing is masked (`mask_ratio` 0), and rising noise keeps the patches in their order."""
    patch_size = patch_side(model.config)
    count = (pictures.shape[-2] // patch_size) * (pictures.shape[-1] // patch_size)
    noise = torch.arange(count, device=pictures.device, dtype=torch.float32).expand(len(pictures), -1)
    tokens = model(pixel_values=pictures, noise=noise, interpolate_pos_encoding=True).last_hidden_state
    return patch_tokens(tokens, pictures, patch_size)


def sam_features(model: Any, pictures: Tensor) -> Tensor:
    """SAM takes one size only (1024 px); the channels after the neck."""
    side = model.config.image_size
    square = interpolate(pictures, size=(side, side), mode="bilinear", align_corners=False)
    return model(pixel_values=square).last_hidden_state


# transformers' model type -> its class, how to run it, options of its construction
ADAPTERS: dict[str, tuple[str, Callable[[Any, Tensor], Tensor], dict[str, Any]]] = {
    "vit": ("ViTModel", dino_features, {"add_pooling_layer": False}),
    "dinov2": ("Dinov2Model", dinov2_features, {}),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", dinov2_features, {}),
    "dinov3_vit": ("DINOv3ViTModel", dinov2_features, {}),
    "vit_mae": ("ViTMAEModel", mae_features, {"config_changes": {"mask_ratio": 0.0}}),
    "sam": ("SamVisionModel", sam_features, {}),
    "sam_vision_model": ("SamVisionModel", sam_features, {}),
}


def open_proxy(proxy: str | Path | Features | Proxy) -> Proxy:
    """A proxy from "self", a catalog name, a hub id, a local folder, or a function."""
    if isinstance(proxy, Proxy):
        return proxy
    if callable(proxy):
        return FunctionProxy(proxy)
    if proxy == SelfProxy.name:
        return SelfProxy()
    return EncoderProxy(find_checkpoint(repository_of(proxy, "proxy")))
