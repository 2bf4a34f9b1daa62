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
    config_class: Any = transformers.Siglip2Config if naflex else transformers.SiglipConfig
    model_class: Any = transformers.Siglip2Model if naflex else transformers.SiglipModel
    size = {"num_patches": 16} if naflex else {}
    text = TEXT | {"hidden_size": 32, "max_position_embeddings": LENGTH, "vocab_size": 100, "projection_size": 32}
    special = ("bos_token_id", "eos_token_id", "pad_token_id")
    config = config_class(
        vision_config=VISION | size | vision,
        text_config={name: value for name, value in text.items() if name not in special},
    )
    model = model_class(config)
    shake(model)
    model.save_pretrained(folder)
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


def save_metaclip2(folder: Path) -> Any:
    """A random MetaCLIP 2 with a tokenizer like XLM-V's: beginning 0, padding 1, end 2, unknown 3."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    numbers = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "vocab_size": 100}
    config = transformers.MetaClip2Config(
        vision_config=VISION | {"hidden_act": "gelu"},
        text_config=TEXT | numbers | {"max_position_embeddings": LENGTH, "hidden_act": "gelu"},
        projection_dim=20,
    )
    model = transformers.MetaClip2Model(config)
    shake(model)
    model.save_pretrained(folder)
    scores = [(piece, -1.0 if len(piece) > 1 else -5.0) for piece in (*special, *pieces())]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return model


def save_tips(folder: Path, registers: int = 1, **vision: Any) -> Any:
    """A random TIPSv2 whose tokenizer pads with 0 and ends nothing."""
    text = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.Tipsv2Config(
        vision_config={key: value for key, value in VISION.items() if key != "intermediate_size"}
        | {"mlp_ratio": 1.5, "num_register_tokens": registers}
        | vision,
        text_config=text | {"vocab_size": 100, "max_position_embeddings": LENGTH},
    )
    model = transformers.Tipsv2Model(config)
    shake(model)
    model.save_pretrained(folder)
    save_unigram(folder, {"pad_token": "<pad>", "tokenizer_class": "Tipsv2Tokenizer"}, ("<unk>", "<pad>"))
    return model
