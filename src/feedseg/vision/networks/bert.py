"""BERT's encoder (Devlin et al., NAACL 2019), as sentence encoders use it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from feedseg.vision.networks.parts import all_count, attended, table
from feedseg.vision.networks.settings import network_settings

_USUAL = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
_FIXED = {
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
_WITHOUT_EFFECT = {
    "bos_token_id",
    "classifier_dropout",
    "eos_token_id",
    "gradient_checkpointing",
    "pad_token_id",
    "tie_word_embeddings",
    "use_cache",
}


class BertOutput(NamedTuple):
    """What the last block makes of the tokens, (B, M, D)."""

    last_hidden_state: Tensor


class BertNetwork(nn.Module):
    """transformers' `BertModel` without its pooling."""

    renames: ClassVar[tuple[tuple[str, str], ...]] = ()
    unused: ClassVar[tuple[str, ...]] = ("pooler.", "embeddings.position_ids")

    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width, eps = settings.hidden_size, settings.layer_norm_eps
        self.config = settings
        self.embeddings: Any = nn.Module()
        self.embeddings.word_embeddings = table(settings.vocab_size, width)
        self.embeddings.position_embeddings = table(settings.max_position_embeddings, width)
        self.embeddings.token_type_embeddings = table(settings.type_vocab_size, width)
        self.embeddings.LayerNorm = nn.LayerNorm(width, eps=eps)
        self.encoder: Any = nn.Module()
        self.encoder.layer = nn.ModuleList(_Block(settings) for _ in range(settings.num_hidden_layers))

    @classmethod
    def of(cls, config: Any) -> BertNetwork | None:
        """A network without weights; None for a configuration that it does not cover."""
        settings = network_settings(config, _USUAL, _FIXED, _WITHOUT_EFFECT)
        if settings is None:
            return None
        with torch.device("meta"):
            return cls(settings)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> BertOutput:
        """From token ids and which of them count, (B, M) both."""
        parts, (count, length) = self.embeddings, input_ids.shape
        tokens = parts.word_embeddings(input_ids) + parts.token_type_embeddings.weight[0]
        tokens = parts.LayerNorm(tokens + parts.position_embeddings.weight[:length])
        seen = attention_mask.bool()
        mask = None if all_count(seen) else seen[:, None, None].expand(count, 1, length, length)
        for block in self.encoder.layer:
            tokens = block(tokens, mask)
        return BertOutput(tokens)


class _Block(nn.Module):
    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width, inner, eps = settings.hidden_size, settings.intermediate_size, settings.layer_norm_eps
        self.heads = settings.num_attention_heads
        self.attention: Any = nn.Module()
        self.attention.self = nn.Module()
        for name in ("query", "key", "value"):
            setattr(self.attention.self, name, nn.Linear(width, width))
        self.attention.output = _added(width, width, eps)
        self.intermediate: Any = nn.Module()
        self.intermediate.dense = nn.Linear(width, inner)
        self.output = _added(inner, width, eps)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        parts, output = self.attention.self, self.attention.output
        found = attended(parts.query(tokens), parts.key(tokens), parts.value(tokens), self.heads, mask)
        tokens = output.LayerNorm(output.dense(found) + tokens)
        return self.output.LayerNorm(self.output.dense(gelu(self.intermediate.dense(tokens))) + tokens)


def _added(inner: int, width: int, eps: float) -> Any:
    """A matrix whose product is added to the tokens, and the norm behind it."""
    part: Any = nn.Module()
    part.dense, part.LayerNorm = nn.Linear(inner, width), nn.LayerNorm(width, eps=eps)
    return part
