"""Checkpoints of the real sizes with random weights, saved and loaded as real ones are: they take the same time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from feedseg import Segmenter, Settings, Vocabulary

WORDS = tuple(f"word {number}" for number in range(20))
MOST_WORDS = 1000  # that the tokenizer tells apart
TOWERS: dict[str, dict[str, Any]] = {  # the vision half of transformers' CLIPConfig, and the joint size
    "ViT-B/16": {"patch_size": 16, "projection_dim": 512},
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
TEXT = TINY | {  # always tiny: the words are embedded before anything is timed
    "vocab_size": MOST_WORDS + 5,
    "max_position_embeddings": 8,
    "bos_token_id": 1,
    "pad_token_id": 2,
    "eos_token_id": 3,
}
transformers.utils.logging.disable_progress_bar()
# Embeddings of random models are of no use to anybody, so they are kept out of the user's cache.
_CACHE = TemporaryDirectory(prefix="feedseg-benchmarks-")
os.environ["FEEDSEG_CACHE"] = _CACHE.name


def vocabulary(words: Sequence[str] = WORDS) -> Vocabulary:
    """Words of a random model, embedded with one template."""
    return Vocabulary(list(words), templates=["{}"])


def save_clip(folder: Path, name: str = "ViT-B/16", tiny: bool = False) -> Path:
    """The folder, with a random CLIP in it: the vision tower of that size, or a tiny one, and a tiny text tower."""
    vision = TOWERS[name] | (TINY if tiny else {})
    joint = vision["projection_dim"]
    text = TEXT | {"projection_dim": joint, "hidden_act": vision.get("hidden_act", "quick_gelu")}
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=joint)
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    known = {word: number for number, word in enumerate(("<unk>", "<start>", "<pad>", "<end>", "word"))}
    known |= {str(number): len(known) + number for number in range(MOST_WORDS)}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<start>", eos_token="<end>", pad_token="<pad>"
    ).save_pretrained(folder)
    return folder


def save_proxy(folder: Path, name: str = "DINO ViT-B/8", tiny: bool = False) -> Path:
    """The folder, with a random proxy in it."""
    class_name, options = PROXIES[name]
    if tiny:
        options = options | TINY | (TINY_SAM if "Sam" in class_name else {})
    model_class = getattr(transformers, class_name)
    torch.manual_seed(0)
    model_class(model_class.config_class(**options)).save_pretrained(folder)
    return folder


def random_segmenter(
    tower: str = "ViT-B/16",
    host: str = "proxyclip",
    proxy: str = "DINO ViT-B/8",
    *,
    settings: Settings | None = None,
    device: str = "cpu",
    dtype: str = "fp32",
    tiny: bool = False,
) -> Segmenter:
    """A segmenter with random weights and the paper's feedback; `proxy` is for proxyclip."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        segmenter = Segmenter.load(
            save_clip(folder / "clip", tower, tiny),
            host=host,
            proxy=save_proxy(folder / "proxy", proxy, tiny) if host == "proxyclip" else None,
            feedback="paper",
            settings=settings,
            device=device,
            dtype=dtype,
        )
        segmenter.provenance()  # computed from the files, which are gone in a moment
    return segmenter
