"""What the tower says of photographs, computed once and kept on disk: the patches' features, in float16.

A folder of features holds one file a photograph, `set/name.pt`, with
  `grid`   rows and columns of the patches,
  `final`  the final normed patch tokens, (N, D), which are ProxyCLIP's proxy,
  `value`  the last block's values, (N, D),
  `read`   the last attention's output projection under ProxyCLIP's attention, (N, D): what the alignment reads,
and, when asked for, `query` and `key`, (N, D), for hosts that use them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import packed
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize, scaled_dot_product_attention

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
PATCH = 14
BETA, GAMMA = 1.2, 3.0  # ProxyCLIP's


def pixels(file: Path, short_side: int) -> Tensor:
    """A photograph, normalised, (1, 3, height, width); each side rounded to whole patches."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    ratio = short_side / min(image.size)
    size = [max(PATCH, round(side * ratio / PATCH) * PATCH) for side in image.size]
    resized = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    values = torch.from_numpy(np.array(resized)).float() / 255
    return ((values - MEAN) / STD).permute(2, 0, 1)[None]


def proxy_attention(features: Tensor) -> Tensor:
    """ProxyCLIP's attention of features (N, D): (N, N)."""
    tokens = normalize(features.float(), dim=-1)
    scores = (tokens @ tokens.T - BETA * tokens.mean(dim=0).square().sum()) * GAMMA
    dropped = scores < 0
    dropped &= ~dropped.all(dim=-1, keepdim=True)
    return scores.masked_fill_(dropped, -torch.inf).softmax(dim=-1)


@dataclass
class Tower:
    """DINOv2, opened at its last block."""

    module: Any

    @classmethod
    def open(cls, folder: Path) -> Tower:
        return cls(packed.load_module(folder, "Dinov2Model"))

    def project_output(self, attended: Tensor) -> Tensor:
        """The last block's output projection."""
        return self.module.encoder.layer[-1].attention.o_proj(attended)

    @torch.inference_mode()
    def features(self, picture: Tensor, *, with_keys: bool = False) -> dict[str, Any]:
        """See the module's docstring."""
        tokens = self.module.embeddings(picture)
        for block in self.module.encoder.layer[:-1]:
            tokens = block(tokens)
        last = self.module.encoder.layer[-1]
        inner = last.norm1(tokens)
        parts = {part: getattr(last.attention, f"{part[0]}_proj")(inner) for part in ("query", "key", "value")}
        heads = self.module.config.num_attention_heads
        query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts.values())
        attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        complete = tokens + last.layer_scale1(self.project_output(attended))
        complete = complete + last.layer_scale2(last.mlp(last.norm2(complete)))
        final = self.module.layernorm(complete)[0, 1:]
        values = parts["value"][0, 1:]
        read = self.project_output(proxy_attention(final) @ values)
        kept = {"final": final, "value": values, "read": read}
        if with_keys:
            kept |= {"query": parts["query"][0, 1:], "key": parts["key"][0, 1:]}
        grid = tuple(side // PATCH for side in picture.shape[-2:])
        return {name: tensor.half().clone() for name, tensor in kept.items()} | {"grid": grid}


def prepare(tower: Tower, files: Iterable[Path], short_side: int, out: Path, *, with_keys: bool = False) -> None:
    """Compute the features that `out` does not have yet."""
    out.mkdir(parents=True, exist_ok=True)
    start, done = time.monotonic(), 0
    for file in files:
        target = out / f"{file.stem}.pt"
        if target.exists():
            continue
        torch.save(tower.features(pixels(file, short_side), with_keys=with_keys), target)
        done += 1
    if done:
        print(f"{out.name}: {done} photographs in {time.monotonic() - start:.0f} s")


def load(folder: Path, stem: str) -> dict[str, Any]:
    """One photograph's features, in float32."""
    stored = torch.load(folder / f"{stem}.pt")
    return {name: value.float() if isinstance(value, Tensor) else value for name, value in stored.items()}
