"""DINO read as CorrCLIP reads it: the sum of queries and keys of its last block."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from feedseg.errors import FeedsegError
from feedseg.vision.ops import patch_tokens
from feedseg.vision.proxies.base import EncoderProxy
from feedseg.vision.proxies.dino import PROXY as DINO
from feedseg.vision.towers.base import patch_side
from feedseg.weights.catalog import repository_of
from feedseg.weights.checkpoint import find_checkpoint, read_config


def queries_plus_keys(model: Any, pixels: Tensor) -> Tensor:
    """Queries and keys of the last block's patches, added, position embeddings resized to the windows: (B, C, h, w)."""
    tokens = model.embeddings(pixels, interpolate_pos_encoding=True)
    for layer in model.layers[:-1]:
        tokens = layer(tokens)
    normed, attention = model.layers[-1].layernorm_before(tokens), model.layers[-1].attention
    return patch_tokens(attention.q_proj(normed) + attention.k_proj(normed), pixels, patch_side(model.config))


class DinoQueriesKeys(EncoderProxy):
    """A DINO whose features are queries and keys: for `proxy=DinoQueriesKeys()`, or its name on the command line."""

    def __init__(self, source: str | Path = "dino-b8") -> None:
        """`source`: a name of the catalog, a hub id or a folder.

        Raises:
            FeedsegError: it cannot be found, or is no DINO.
        """
        checkpoint = find_checkpoint(repository_of(source, "proxy"))
        kind = read_config(checkpoint).get("model_type")
        if kind not in DINO.model_types:
            raise FeedsegError(f"{checkpoint.source} is a {kind!r} model, and no DINO whose queries could be read")
        super().__init__(replace(DINO, features=queries_plus_keys), checkpoint, kind)
        self.name = f"{self.name}, queries and keys"
