"""DINOv2 (Oquab et al., arXiv 2304.07193) without registers, as far as a tower needs it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate

from feedseg.vision.networks.parts import attended
from feedseg.vision.networks.settings import network_settings

_USUAL = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "mlp_ratio": 4,
    "layer_norm_eps": 1e-6,
    "image_size": 224,
    "patch_size": 14,
}
_FIXED = {"hidden_act": "gelu", "qkv_bias": True, "use_swiglu_ffn": False, "use_mask_token": True, "num_channels": 3}
_WITHOUT_EFFECT = {
    "apply_layernorm",
    "drop_path_rate",
    "intermediate_size",
    "layerscale_value",
    "out_features",
    "out_indices",
    "reshape_hidden_states",
    "stage_names",
}


class Dinov2Network(nn.Module):
    """`embeddings`, `encoder.layer` and `layernorm` of transformers' `Dinov2Model`."""

    renames: ClassVar[tuple[tuple[str, str], ...]] = (
        (".attention.attention.query.", ".attention.q_proj."),
        (".attention.attention.key.", ".attention.k_proj."),
        (".attention.attention.value.", ".attention.v_proj."),
        (".attention.output.dense.", ".attention.o_proj."),
    )  # what older versions of transformers called them
    unused: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        self.config = settings
        self.embeddings = _Embeddings(settings)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_Block(settings) for _ in range(settings.num_hidden_layers))
        self.layernorm = nn.LayerNorm(settings.hidden_size, eps=settings.layer_norm_eps)

    @classmethod
    def of(cls, config: Any) -> Dinov2Network | None:
        """A network without weights; None for a configuration that it does not cover."""
        settings = network_settings(config, _USUAL, _FIXED, _WITHOUT_EFFECT)
        if settings is None:
            return None
        with torch.device("meta"):
            return cls(settings)


class _Embeddings(nn.Module):
    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width, patch = settings.hidden_size, settings.patch_size
        positions = 1 + (settings.image_size // patch) ** 2
        self.patch_size = patch
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.mask_token = nn.Parameter(torch.empty(1, width))
        self.position_embeddings = nn.Parameter(torch.empty(1, positions, width))
        self.patch_embeddings = nn.Module()
        self.patch_embeddings.projection = nn.Conv2d(3, width, patch, patch)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, height, width) to tokens with their positions, (B, 1 + N, D)."""
        projection: Any = self.patch_embeddings.projection
        patches = projection(pixels.to(projection.weight.dtype)).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls_token.expand(pixels.shape[0], -1, -1), patches), dim=1)
        height, width = pixels.shape[-2:]
        return tokens + self._positions((height // self.patch_size, width // self.patch_size))

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """Those of another grid are resized, bicubic, in fp32."""
        own = self.position_embeddings[:, 1:]
        side = int(own.shape[1] ** 0.5)
        if grid == (side, side):
            return self.position_embeddings
        square = own.unflatten(1, (side, side)).permute(0, 3, 1, 2)
        resized = interpolate(square.float(), size=grid, mode="bicubic", align_corners=False).to(own.dtype)
        return torch.cat((self.position_embeddings[:, :1], resized.permute(0, 2, 3, 1).flatten(1, 2)), dim=1)


class _Block(nn.Module):
    def __init__(self, settings: SimpleNamespace) -> None:
        super().__init__()
        width, eps = settings.hidden_size, settings.layer_norm_eps
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.attention = _Attention(width, settings.num_attention_heads)
        self.layer_scale1, self.layer_scale2 = _LayerScale(width), _LayerScale(width)
        self.mlp = _FeedForward(width, width * settings.mlp_ratio)

    def forward(self, tokens: Tensor, mask: None = None) -> Tensor:
        """(B, M, D) to (B, M, D)."""
        tokens = self.layer_scale1(self.attention(self.norm1(tokens))) + tokens
        return self.layer_scale2(self.mlp(self.norm2(tokens))) + tokens


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.o_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.o_proj(attended(self.q_proj(tokens), self.k_proj(tokens), self.v_proj(tokens), self.heads))


class _LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lambda1 = nn.Parameter(torch.empty(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.lambda1


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(tokens)))
