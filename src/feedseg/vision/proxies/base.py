"""What a proxy is: RGB windows in [0, 1], (B, 3, height, width), to features (B, C, h, w)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from feedseg.vision.ops import normalised
from feedseg.vision.towers.base import TowerOutput, patch_side
from feedseg.weights.checkpoint import Checkpoint
from feedseg.weights.modules import load_module, normalisation_of

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Features = Callable[[Tensor], Tensor]  # RGB windows in [0, 1] to features


class Proxy(ABC):
    """Features of windows; `patch_size` is what the windows' sides must be a multiple of."""

    name: str
    patch_size: int = 1
    family: str = ""  # transformers' model type, where it has one

    @property
    def revision(self) -> str:
        """Which weights these are; empty for what has none of its own."""
        return ""

    @property
    def pitch(self) -> float | None:
        """Pixels of a window from one feature to the next; None where that is not known."""
        return self.patch_size if self.patch_size > 1 else None

    @abstractmethod
    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        """Features (B, C, h, w) of RGB windows in [0, 1], of which the tower has made `output`."""

    def to(self, device: torch.device, dtype: torch.dtype) -> None:  # noqa: B027 -- most have nothing to move
        """Move every parameter."""


@dataclass(frozen=True)
class ProxyFamily:
    """Encoders of one architecture that transformers knows. A family is one file."""

    model_types: tuple[str, ...]  # what config.json calls it
    class_names: tuple[str, ...]  # transformers' class for each
    features: Callable[[Any, Tensor], Tensor]  # from the module and normalised windows to features
    options: Mapping[str, Any] = field(default_factory=dict)  # of the module's construction
    any_size: bool = False  # whether windows need not be whole patches
    normalises: bool = False  # whether the module itself does it

    def open(self, checkpoint: Checkpoint, model_type: str) -> Proxy:
        """The encoder of a checkpoint."""
        return EncoderProxy(self, checkpoint, model_type)


class EncoderProxy(Proxy):
    """A pretrained encoder; its final, normed patch tokens are the features."""

    def __init__(self, family: ProxyFamily, checkpoint: Checkpoint, model_type: str) -> None:
        class_name = family.class_names[family.model_types.index(model_type)]
        self._features = family.features
        self._model = load_module(checkpoint, class_name, **family.options)
        own = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        self._mean, self._std = own if family.normalises else normalisation_of(checkpoint, IMAGENET_MEAN, IMAGENET_STD)
        self.patch_size = 1 if family.any_size else patch_side(self._model.config)
        self.name = checkpoint.source
        self.family = model_type
        self._checkpoint = checkpoint

    @property
    def revision(self) -> str:
        return self._checkpoint.revision

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self._model.to(device=device, dtype=dtype)

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        dtype = next(self._model.parameters()).dtype
        return self._features(self._model, normalised(pixels, self._mean, self._std).to(dtype))


class TowerProxy(Proxy):
    """The tower's own final patch tokens: no second encoder."""

    name = "self"

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        return output.final_tokens()


class FunctionProxy(Proxy):
    """Any function from RGB windows in [0, 1] to features (B, C, h, w).

    Where it takes sides in whole patches only, it says so by an attribute `patch_size`, or it is said here.
    """

    def __init__(self, function: Features, patch_size: int | None = None) -> None:
        self._function = function
        self.patch_size = patch_size or int(getattr(function, "patch_size", 1))
        self.name = getattr(function, "__name__", type(function).__name__)

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        return self._function(pixels)
