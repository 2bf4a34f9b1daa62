"""A tiny random CLIP run block by block from transformers' own layers, for hosts' plain re-statements.

Nothing of the package's attentions is used; tokens and numbers are fp64. Blocks count from 1, as the papers do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm
from transformers import CLIPModel

import tiny_models
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import open_model
from feedseg.vision.ops import normalised
from feedseg.vision.proxies.base import Proxy
from feedseg.vision.towers.base import VisionTower

HEADS = tiny_models.VISION["num_attention_heads"]
WIDTH = tiny_models.VISION["hidden_size"] // HEADS  # of a head
SHAPES = [(48, 48), (40, 72), (64, 24)]  # of windows, in pixels; patches of 8


class PlainClip:
    """One window: `h[l]` the tokens (M, D) after block l, h[0] those that enter the first."""

    def __init__(self, clip: CLIPModel, tower: VisionTower, pixels: Tensor) -> None:
        """`pixels`: one window, RGB in [0, 1], (3, height, width). The tower gives what enters the first block."""
        self.pixels = pixels
        self.vision: Any = clip.vision_model
        self.projection = clip.visual_projection.weight.double()
        self.blocks = len(self.vision.encoder.layers)
        self.grid = (pixels.shape[-2] // 8, pixels.shape[-1] // 8)
        with torch.no_grad():
            self.h = [tower.embed(normalised(pixels[None], tower.mean, tower.std))[0].double()]
            for block in range(1, self.blocks + 1):
                layer = self.layer(block)
                x = self.h[-1]
                query, key, value = self.heads(block, x)
                mixed = torch.cat([self.softmax(query[i] @ key[i].T) @ value[i] for i in range(HEADS)], dim=-1)
                x = x + self.linear(layer.self_attn.out_proj, mixed)
                inner = self.linear(layer.mlp.fc1, self.norm(layer.layer_norm2, x))
                x = x + self.linear(layer.mlp.fc2, inner * torch.sigmoid(1.702 * inner))
                self.h.append(x)

    def layer(self, block: int):
        return self.vision.encoder.layers[block - 1]

    @staticmethod
    def norm(module, x: Tensor) -> Tensor:
        return layer_norm(x, x.shape[-1:], module.weight.double(), module.bias.double(), module.eps)

    @staticmethod
    def linear(module, x: Tensor) -> Tensor:
        return x @ module.weight.double().T + module.bias.double()

    @staticmethod
    def softmax(products: Tensor) -> Tensor:
        """Of products that still lack the 1 / √d."""
        return torch.softmax(products / WIDTH**0.5, dim=-1)

    def heads(self, block: int, x: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Queries, keys, values of tokens that enter a block: for every head (M, d)."""
        layer = self.layer(block)
        kept = self.norm(layer.layer_norm1, x)
        attention = layer.self_attn
        modules = (attention.q_proj, attention.k_proj, attention.v_proj)
        query, key, value = (list(self.linear(module, kept).split(WIDTH, dim=-1)) for module in modules)
        return query, key, value

    def attention(self, block: int, head: int) -> Tensor:
        """A block's own, (M, M)."""
        query, key, _ = self.heads(block, self.h[block - 1])
        return self.softmax(query[head] @ key[head].T)

    def output_projection(self, block: int, x: Tensor) -> Tensor:
        return self.linear(self.layer(block).self_attn.out_proj, x)

    def join(self, x: Tensor) -> Tensor:
        """Final norm and joint projection."""
        return self.norm(self.vision.post_layernorm, x) @ self.projection.T

    def read(self, weights: list[Tensor]) -> Tensor:
        """The embeddings (N, E) of the patches by attentions (M, M) or (N, M), one a head, alone."""
        _, _, value = self.heads(self.blocks, self.h[self.blocks - 1])
        patches = len(value[0]) - 1
        mixed = torch.cat([weights[i][-patches:] @ value[i] for i in range(HEADS)], dim=-1)
        return self.join(self.output_projection(self.blocks, mixed))


def deep_clip(folder: Path, blocks: int = 12, seed: int = 0) -> tuple[CLIPModel, VisionTower]:
    """A tiny random CLIP with as many blocks as ViT-B, and the tower that is loaded from it."""
    return tiny_models.save_clip(folder, seed=seed, num_hidden_layers=blocks), open_model(folder).tower


def random_windows(height: int, width: int, count: int = 2) -> Tensor:
    """RGB in [0, 1], (count, 3, height, width)."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def check_against(
    restated: Callable[[PlainClip], Tensor],
    clip: CLIPModel,
    tower: VisionTower,
    host: Any,
    proxy: Proxy | None = None,
    **options: Any,
) -> None:
    """That the host's patch embeddings are the re-stated ones to 1e-4, windows of a batch, square and not."""
    for height, width in SHAPES:
        batch = random_windows(height, width)
        encoded = WindowEncoder(tower, HOSTS.load(host), proxy, **options)(batch)
        for pixels, window in zip(batch, encoded, strict=True):
            with torch.no_grad():
                expected = restated(PlainClip(clip, tower, pixels))
            assert expected.abs().max() > 0.1
            torch.testing.assert_close(window.first[0].double(), expected, atol=1e-4, rtol=1e-4)
