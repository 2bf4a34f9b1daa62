"""Tokenizers read without transformers, against transformers' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import feedseg
import tiny_models
from feedseg.vision.text.clip import load_tokenizer
from feedseg.vision.text.tokenizer import PlainTokenizer, load_prompt_tokenizer, plain_tokenizer
from feedseg.weights.checkpoint import Checkpoint

MINI = Path(str(feedseg.__file__)).parent / "models/mini"
PROMPTS = [
    "a photo of a cat",
    "",
    "striped",
    "a striped <pad> sofa",
    "Ströme <end> of an unheard «word»",
    "<unk> dog",
]


def of(folder: Path) -> Checkpoint:
    return Checkpoint(str(folder), folder, None, ())


@pytest.mark.parametrize("which", ["mini", "tiny"])
def test_it_says_what_transformers_says(which: str, tmp_path: Path) -> None:
    tiny_models.save_tokenizer(tmp_path)
    checkpoint = of(MINI if which == "mini" else tmp_path)
    own, theirs = load_prompt_tokenizer(checkpoint), load_tokenizer(checkpoint)
    assert type(own) is PlainTokenizer
    found, expected = (one(PROMPTS, padding=True, return_tensors="pt") for one in (own, theirs))
    for name in ("input_ids", "attention_mask"):
        assert found[name].tolist() == expected[name].tolist()
    for prompt in PROMPTS:
        assert own(prompt)["input_ids"] == theirs(prompt)["input_ids"]
    for name in ("unk_token_id", "bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(own, name) == getattr(theirs, name)
    assert own.get_vocab() == theirs.get_vocab()
    assert set(own.all_special_tokens) == set(theirs.all_special_tokens)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer"}),
        ("tokenizer_config.json", {"add_bos_token": True}),
        ("tokenizer_config.json", {"pad_token": "<another>"}),
        ("tokenizer_config.json", {"pad_token": None}),
        ("tokenizer.json", {"post_processor": None}),
        ("tokenizer.json", {"added_tokens": []}),
    ],
)
def test_what_transformers_would_change_is_left_to_it(file: str, change: dict[str, Any], tmp_path: Path) -> None:
    tiny_models.save_tokenizer(tmp_path)
    assert plain_tokenizer(of(tmp_path)) is not None
    content = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps(content | change))
    assert plain_tokenizer(of(tmp_path)) is None


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
@pytest.mark.parametrize("file", ["tokenizer_config.json", "tokenizer.json"])
def test_damaged_files_are_left_to_transformers(file: str, content: str | None, tmp_path: Path) -> None:
    tiny_models.save_tokenizer(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_text(content)
    assert plain_tokenizer(of(tmp_path)) is None


def test_more_files_beside_are_left_to_transformers(tmp_path: Path) -> None:
    tiny_models.save_tokenizer(tmp_path)
    (tmp_path / "added_tokens.json").write_text("{}")
    assert plain_tokenizer(of(tmp_path)) is None
