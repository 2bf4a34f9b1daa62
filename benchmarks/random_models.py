"""Towers and proxies of their real sizes with random weights, built as real ones are: the time is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers

from feedseg import Segmenter, Settings
from feedseg.vision.encode import Reader
from feedseg.vision.hosts.attention import HOSTS
from feedseg.vision.model import CLIP_MEAN, CLIP_STD, Model
from feedseg.vision.proxies.base import Proxy, open_proxy
from feedseg.vision.text.base import TextBank
from feedseg.vision.towers.base import ClipTower
from feedseg.weights.modules import build_module, quiet_transformers

WORDS = [f"word {number}" for number in range(20)]
JOINT = 512  # of ViT-B/16
TOWERS: dict[str, dict[str, Any]] = {  # as transformers' CLIPVisionConfig has them
    "ViT-B/16": {"patch_size": 16, "projection_dim": JOINT},
    "ViT-L/14": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
        "projection_dim": 768,
    },
    "ViT-H/14": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "patch_size": 14,
        "projection_dim": 1024,
        "hidden_act": "gelu",
    },
}
PROXIES: dict[str, tuple[str, dict[str, Any]]] = {  # model class, configuration
    "DINO ViT-B/8": ("ViTModel", {"patch_size": 8}),
    "SAM ViT-B": ("SamVisionModel", {}),
}
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY_SAM = {"image_size": 64, "output_channels": 16, "window_size": 2, "global_attn_indexes": [1], "mlp_dim": 64}


def random_tower(name: str = "ViT-B/16", tiny: bool = False) -> ClipTower:
    """A CLIP's vision half, of the size that its name says, or tiny."""
    options: dict[str, Any] = TOWERS[name] | (TINY if tiny else {})
    config = transformers.CLIPVisionConfig(**options)
    torch.manual_seed(0)
    weights = transformers.CLIPVisionModelWithProjection(config).state_dict()
    vision = build_module("CLIPVisionModelWithProjection", config, weights, name)
    return ClipTower(vision.vision_model, vision.visual_projection, CLIP_MEAN, CLIP_STD)


def random_proxy(name: str = "DINO ViT-B/8", tiny: bool = False) -> Proxy:
    """A proxy, saved and opened like any other."""
    class_name, options = PROXIES[name]
    if tiny:
        options = options | TINY | (TINY_SAM if "Sam" in class_name else {})
    model_class = getattr(transformers, class_name)
    torch.manual_seed(0)
    with TemporaryDirectory() as folder, quiet_transformers():
        model_class(model_class.config_class(**options)).save_pretrained(folder)
        proxy = open_proxy(Path(folder))
        assert proxy.revision  # read now and kept: the folder goes
        return proxy


def random_reader(proxy: str = "DINO ViT-B/8", tiny: bool = False, device: str = "cpu") -> Reader:
    """ViT-B/16 with proxyclip and a proxy, fp32, on the device."""
    tower, encoder = random_tower(tiny=tiny), random_proxy(proxy, tiny)
    tower.to(torch.device(device), torch.float32)
    encoder.to(torch.device(device), torch.float32)
    return Reader(tower, HOSTS["proxyclip"], encoder)


def random_model(name: str = "ViT-B/16", words: Sequence[str] = WORDS, tiny: bool = False) -> Model:
    """A tower and a bank of random words."""
    tower = random_tower(name, tiny)
    embeddings = torch.randn(len(words), TOWERS[name]["projection_dim"])
    return Model(tower, TextBank(dict(zip(words, embeddings, strict=True)), "random words", ""), f"random {name}", "")


def random_segmenter(
    feedback: bool,
    words: Sequence[str] = WORDS,
    settings: Settings | None = None,
    device: str = "cpu",
    tiny: bool = False,
) -> Segmenter:
    """ViT-B/16 with proxyclip and DINO B/8, fp32."""
    model, proxy = random_model(words=words, tiny=tiny), random_proxy(tiny=tiny)
    return Segmenter.load(model, proxy=proxy, feedback=feedback, settings=settings, device=device, dtype="fp32")
