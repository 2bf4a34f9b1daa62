"""CLIP (Radford et al., ICML 2021), both halves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from feedseg.vision.networks.parts import all_count, attended, table
from feedseg.vision.networks.settings import network_settings

_ACTIVATIONS = ("gelu", "quick_gelu")
_VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
_TEXT = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "eos_token_id": 49407,
}
_OLD_END = 2  # what configurations said of the end of a text before it was known; there it is the largest id


class QuickGelu(nn.Module):
    """OpenAI's activation, x · sigmoid(1.702 x)."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * torch.sigmoid(1.702 * tokens)


class ClipTextOutput(NamedTuple):
    """What the text tower makes of tokens, (B, M, D), and of the one that ends each text, (B, D)."""

    last_hidden_state: Tensor
    pooler_output: Tensor


class ClipNetwork(nn.Module):
    """transformers' `CLIPModel` as its parts: `vision_model`, `text_model` and the two projections."""

    renames: ClassVar[tuple[tuple[str, str], ...]] = ()
    unused: ClassVar[tuple[str, ...]] = (
        "logit_scale",
        "text_model.embeddings.position_ids",
        "vision_model.embeddings.position_ids",
    )

    def __init__(self, vision: SimpleNamespace, text: SimpleNamespace, joint: int) -> None:
        super().__init__()
        self.vision_model, self.text_model = _Vision(vision), _Text(text)
        self.visual_projection = nn.Linear(vision.hidden_size, joint, bias=False)
        self.text_projection = nn.Linear(text.hidden_size, joint, bias=False)

    @classmethod
    def of(cls, config: Any) -> ClipNetwork | None:
        """A network without weights; None for a configuration that it does not cover."""
        if not isinstance(config, dict):
            return None
        halves = {"text_config": config.get("text_config"), "vision_config": config.get("vision_config")}
        whole = network_settings(config, {"projection_dim": 512}, halves, {"logit_scale_init_value"})
        ends = {"bos_token_id", "pad_token_id", "projection_dim"}
        vision = network_settings(halves["vision_config"], _VISION, {"num_channels": 3}, {"projection_dim"})
        text = network_settings(halves["text_config"], _TEXT, {}, ends)
        if whole is None or vision is None or text is None:
            return None
        if vision.hidden_act not in _ACTIVATIONS or text.hidden_act not in _ACTIVATIONS:
            return None
        with torch.device("meta"):
            return cls(vision, text, whole.projection_dim)


class _Vision(nn.Module):
    """What a tower is composed from; it has no forward pass of its own."""

    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width, patch, eps = settings.hidden_size, settings.patch_size, settings.layer_norm_eps
        self.config = settings
        self.embeddings: Any = nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.empty(width))
        self.embeddings.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.embeddings.position_embedding = table(1 + (settings.image_size // patch) ** 2, width)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.encoder = _encoder(settings)


class _Text(nn.Module):
    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width = settings.hidden_size
        self.config = settings
        self.embeddings: Any = nn.Module()
        self.embeddings.token_embedding = table(settings.vocab_size, width)
        self.embeddings.position_embedding = table(settings.max_position_embeddings, width)
        self.encoder = _encoder(settings)
        self.final_layer_norm = nn.LayerNorm(width, eps=settings.layer_norm_eps)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> ClipTextOutput:
        """From token ids and which of them count, (B, M) both."""
        count, length = input_ids.shape
        tokens = self.embeddings.token_embedding(input_ids) + self.embeddings.position_embedding.weight[:length]
        seen, mask = attention_mask.bool(), None
        if not all_count(seen):
            causal = torch.ones(length, length, dtype=torch.bool, device=seen.device).tril()
            mask = (causal & seen[:, None, None]).expand(count, 1, length, length)
        for layer in self.encoder.layers:
            tokens = layer(tokens, mask, causal=mask is None)
        tokens = self.final_layer_norm(tokens)
        end = self.config.eos_token_id
        last = input_ids.argmax(dim=-1) if end == _OLD_END else (input_ids == end).int().argmax(dim=-1)
        return ClipTextOutput(tokens, tokens[torch.arange(count, device=tokens.device), last])


def _encoder(settings: SimpleNamespace) -> Any:
    encoder: Any = nn.Module()
    encoder.layers = nn.ModuleList(_Layer(settings) for _ in range(settings.num_hidden_layers))
    return encoder


class _Layer(nn.Module):
    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width, inner, eps = settings.hidden_size, settings.intermediate_size, settings.layer_norm_eps
        self.heads = settings.num_attention_heads
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.self_attn: Any = nn.Module()
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self.self_attn, name, nn.Linear(width, width))
        self.mlp = _FeedForward(width, inner, QuickGelu() if settings.hidden_act == "quick_gelu" else nn.GELU())

    def forward(self, tokens: Tensor, mask: Tensor | None = None, *, causal: bool = False) -> Tensor:
        """(B, M, D) to (B, M, D)."""
        parts, normed = self.self_attn, self.layer_norm1(tokens)
        query, key, value = parts.q_proj(normed), parts.k_proj(normed), parts.v_proj(normed)
        tokens = tokens + parts.out_proj(attended(query, key, value, self.heads, mask, causal=causal))
        return tokens + self.mlp(self.layer_norm2(tokens))


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int, activation: nn.Module) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.activation_fn = activation

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(self.activation_fn(self.fc1(tokens)))
