"""What is fitted: from a patch's features and a word's embedding to one space, and the file that holds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import packed
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import layer_norm, normalize

EPS = 1e-5


@dataclass
class Alignment:
    """The layer norm's weights (D,), the patches' projection (D, E), the words' (E_text, E) and its bias (E,)."""

    weight: Tensor
    bias: Tensor
    projection: Tensor
    text_projection: Tensor
    text_bias: Tensor | None = None
    eps: float = EPS
    known: Tensor | None = None  # the known words' encoder embeddings, (K, E_text)
    residuals: Tensor | None = None  # what is added near each of them, (K, E)
    sharpness: float = 20.0

    def read(self, features: Tensor) -> Tensor:
        """Unit embeddings of what the last attention's output projection gives, (..., D): (..., E)."""
        normed = layer_norm(features, features.shape[-1:], self.weight, self.bias, self.eps)
        return normalize(normed @ self.projection, dim=-1)

    def words(self, embeddings: Tensor) -> Tensor:
        """Unit embeddings of words from the encoder's, (W, E_text): (W, E)."""
        projected = embeddings @ self.text_projection
        unit = normalize(projected if self.text_bias is None else projected + self.text_bias, dim=-1)
        if self.known is None or self.residuals is None:
            return unit
        shares = (self.sharpness * embeddings @ self.known.T).softmax(dim=-1)
        return normalize(unit + shares @ self.residuals, dim=-1)

    def save(self, file: Path, known: Sequence[str], embeddings: Tensor) -> None:
        """Write it with the words of the fit and their encoder embeddings (int8), both in the same order."""
        tensors = {
            "ln_post.weight": self.weight.half(),
            "ln_post.bias": self.bias.half(),
            "proj": self.projection.half(),
            "text_proj": self.text_projection.half(),
        }
        if self.text_bias is not None:
            tensors["text_bias"] = self.text_bias.half()
        tensors["known.embeddings"], tensors["known.embeddings" + packed.SCALE] = packed.quantised(embeddings)
        if self.residuals is not None:
            tensors["known.residuals"], tensors["known.residuals" + packed.SCALE] = packed.quantised(self.residuals)
        packed.write(file, tensors, {"known_words": json.dumps(list(known), ensure_ascii=False)})

    @classmethod
    def load(cls, file: Path, eps: float = EPS) -> Alignment:
        tensors = packed.unpacked(load_file(file))
        known = tensors.get("known.embeddings")
        return cls(
            tensors["ln_post.weight"],
            tensors["ln_post.bias"],
            tensors["proj"],
            tensors["text_proj"],
            tensors.get("text_bias"),
            eps,
            None if known is None else normalize(known, dim=-1),
            tensors.get("known.residuals"),
        )


def known_words(file: Path) -> tuple[list[str], Tensor]:
    """The words of the fit and their encoder embeddings, unit length."""
    with safe_open(file, "pt") as opened:
        words = json.loads(opened.metadata()["known_words"])
        embeddings = opened.get_tensor("known.embeddings").float() * opened.get_tensor("known.embeddings.scale")
    return words, normalize(embeddings, dim=-1)
