"""A text-aligned model, vision tower and text encoder, from any of the layouts that it may come in."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from feedseg.errors import FeedsegError
from feedseg.vision.text.base import TextEncoder
from feedseg.vision.towers import TOWERS
from feedseg.vision.towers.refused import REFUSED
from feedseg.weights.checkpoint import find_checkpoint, read_config
from feedseg.weights.layout import MANIFEST

if TYPE_CHECKING:
    from feedseg.vision.towers.base import TowerFamily, VisionTower


@dataclass(frozen=True)
class Model:
    """A vision tower and the text encoder whose embeddings its patches are compared with."""

    tower: VisionTower
    text: TextEncoder
    source: str
    revision: str

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move every parameter."""
        self.tower.to(device=device, dtype=dtype)
        self.text.to(device, dtype)


def open_model(source: str | Path) -> Model:
    """Open a local folder or hub repository: transformers' layout, OpenCLIP's, or a manifest's.

    Raises:
        FeedsegError: it cannot be found, is of no known architecture, or its files are not usable.
    """
    from feedseg.vision.manifest import open_manifest

    folder = Path(os.path.expanduser(source))  # noqa: PTH111 -- Path's own fails for a user that does not exist
    if is_file(folder / MANIFEST):  # its weights lie in folders of their own, so it is no checkpoint
        return open_manifest(folder)
    checkpoint = find_checkpoint(source, tokenizer=True)
    if is_file(checkpoint.folder / MANIFEST):
        return replace(open_manifest(checkpoint.folder), source=checkpoint.source)
    for family in map(TOWERS.load, TOWERS.names()):
        if family.has_own_layout(checkpoint):
            return family.open(checkpoint)
    if not (checkpoint.folder / "config.json").is_file():
        raise FeedsegError(
            f"{checkpoint.source} has neither config.json, open_clip_config.json nor {MANIFEST}, "
            "so its architecture and activation are unknown"
        )
    model_type = read_config(checkpoint).get("model_type")
    family = tower_families().get(str(model_type))
    if family is None:
        if (reason := REFUSED.get(str(model_type))) is not None:
            raise FeedsegError(f"{checkpoint.source} is a {model_type!r} model, which cannot be a tower: {reason}")
        raise FeedsegError(f"{checkpoint.source} is a {model_type!r} model, not a CLIP; to use it as a proxy, say so")
    return family.open(checkpoint)


def tower_families() -> dict[str, TowerFamily]:
    """The registered families by transformers' model type."""
    return {model_type: family for family in map(TOWERS.load, TOWERS.names()) for model_type in family.model_types}


def is_file(path: Path) -> bool:
    """Whether there is such a file; a text of any length may be no possible path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
