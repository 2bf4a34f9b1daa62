"""Tiny random checkpoints of the towers beside CLIP, with tiny tokenizers of their kind, saved as the hub has them."""

import json
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tiny_models import TEXT, VISION, WORDS, shake

LENGTH = 64  # of a prompt; as published
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def save_siglip(folder: Path, kind: str = "siglip", **vision: Any) -> Any:
    """A random SigLIP: `siglip` with its own tokenizer, `siglip2` with Gemma's, or `naflex`."""
    naflex = kind == "naflex"
    config_class = transformers.Siglip2Config if naflex else transformers.SiglipConfig
    size = {"num_patches": 16} if naflex else {}
    text = TEXT | {"hidden_size": 32, "max_position_embeddings": LENGTH, "vocab_size": 100, "projection_size": 32}
    special = ("bos_token_id", "eos_token_id", "pad_token_id")
    config = config_class(
        vision_config=VISION | size | vision,
        text_config={name: value for name, value in text.items() if name not in special},
    )
    model = (transformers.Siglip2Model if naflex else transformers.SiglipModel)(config)
    shake(model).save_pretrained(folder)
    if kind == "siglip":
        save_unigram(folder, {"eos_token": "</s>", "pad_token": "</s>", "tokenizer_class": "SiglipTokenizer"})
    else:
        save_gemma(folder)
    return model


def pieces() -> list[str]:
    """Whole words behind a sentencepiece mark, then the mark, letters and a full stop."""
    return [*(f"▁{word}" for word in WORDS), "▁", *LETTERS, "."]


def save_unigram(folder: Path, config: dict[str, Any], special: tuple[str, ...] = ("<unk>", "</s>")) -> None:
    """A sentencepiece model as a tokenizer.json: special tokens, then `pieces`; nothing is made lower case."""
    scores = [(piece, -1.0 if len(piece) > 1 else -5.0) for piece in (*special, *pieces())]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def save_gemma(folder: Path) -> None:
    """Gemma's way: pairs of pieces are merged, spaces become marks, and a beginning is put in front of each prompt."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    merged = ["ca", "cat", "do", "dog", "re", "red"]
    vocabulary = {piece: number for number, piece in enumerate((*special, "▁", *LETTERS, ".", *merged))}
    merges = [("c", "a"), ("ca", "t"), ("d", "o"), ("do", "g"), ("r", "e"), ("re", "d")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    tokenizer.enable_padding(direction="left", pad_id=0, pad_token="<pad>")
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "GemmaTokenizer", "pad_token": "<pad>", "eos_token": {"content": "<eos>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
