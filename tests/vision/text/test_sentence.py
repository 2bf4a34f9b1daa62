"""A sentence encoder named by a manifest: against transformers, in eight bits, with words that it never learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.nn.functional import normalize

import tiny_models
from feedseg import FeedsegError, Segmenter, Settings, Vocabulary
from feedseg.vision.model import open_model
from feedseg.vision.text.sentence import SentenceEncoder
from feedseg.weights.quantised import dequantised

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"a photo of cat sofa couch sky grass dog ##s red the".split(), "."]
KNOWN = ["cat", "sofa", "sky"]


def save(folder: Path, **changes) -> transformers.BertModel:
    """An aligned DINOv2 whose manifest names a tiny BERT; the BERT."""
    tiny_models.save_aligned(folder)
    config = transformers.BertConfig(
        vocab_size=len(PIECES),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    torch.manual_seed(0)
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    bert.save_pretrained(folder / "text")
    tokenizer = Tokenizer(models.WordPiece({piece: index for index, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(4)  # as some files have it; prompts are never cut in silence
    tokenizer.save(str(folder / "text/tokenizer.json"))
    joint = load_file(folder / "alignment.safetensors")["proj"].shape[1]
    generator = torch.Generator().manual_seed(1)
    tensors = {
        "text_proj": torch.randn(24, joint, generator=generator),
        "text_bias": torch.randn(joint, generator=generator),
    }
    tensors["known.embeddings"] = torch.stack([by_hand(bert, folder, word) for word in KNOWN])
    save_file(tensors, folder / "words.safetensors", metadata={"known_words": json.dumps(KNOWN)})
    text = {"encoder": "text", "projection": "words.safetensors", "templates": ["{}", "a photo of a {}."]}
    manifest = json.loads((folder / "feedseg.json").read_text())
    manifest["text"] = text | {"least_similarity": 0.999} | changes
    (folder / "feedseg.json").write_text(json.dumps(manifest))
    return bert


@torch.inference_mode()
def by_hand(bert: transformers.BertModel, folder: Path, word: str) -> torch.Tensor:
    """A prompt at a time, no padding: mean over the tokens, unit length, mean over the prompts, unit length."""
    tokenizer = Tokenizer.from_file(str(folder / "text/tokenizer.json"))
    tokenizer.no_truncation()
    found = []
    for prompt in (word, f"a photo of a {word}."):
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        found.append(normalize(bert(input_ids=ids).last_hidden_state[0].mean(dim=0), dim=-1))
    return normalize(torch.stack(found).mean(dim=0), dim=-1)


def test_equals_the_encoder_by_hand_and_the_projection(tmp_path):
    bert = save(tmp_path)
    text = open_model(tmp_path).text
    alignment = load_file(tmp_path / "words.safetensors")
    words = ["cat", "red sofa", "Dogs"]
    for _ in range(2):  # computed, and from the cache
        for word, embedding in zip(words, text.embed(words, None), strict=True):
            expected = by_hand(bert, tmp_path, word) @ alignment["text_proj"] + alignment["text_bias"]
            torch.testing.assert_close(embedding, normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)
    assert (text.embed(["cat"], ["the {}"]) - text.embed(["cat"], None)).abs().max() > 1e-3


def test_no_byte_depends_on_the_words_that_are_embedded_beside(tmp_path, monkeypatch):
    save(tmp_path)
    text = open_model(tmp_path).text
    assert isinstance(text, SentenceEncoder)
    words = ["cat", "red sofa", "dogs", "a blue grass floor"]
    alone = []
    for number, word in enumerate(words):
        monkeypatch.setenv("FEEDSEG_CACHE", str(tmp_path / f"cache-{number}"))
        alone.append(text.embed([word], None)[0])
    monkeypatch.setenv("FEEDSEG_CACHE", str(tmp_path / "cache"))
    together, whole = [], text.encode
    monkeypatch.setattr(text, "encode", lambda prompts: together.append(prompts) or whole(prompts))
    assert torch.equal(text.embed(words, None), torch.stack(alone))
    assert torch.equal(text.embed(words[::-1], None), torch.stack(alone[::-1]))
    assert [len(prompts) for prompts in together] == [2] * len(words)  # by its making, whatever this machine rounds


def test_residuals_of_known_words_correct_those_that_are_like_them(tmp_path):
    bert = save(tmp_path, residual_sharpness=7.0)
    tensors = load_file(tmp_path / "words.safetensors")
    joint = tensors["text_proj"].shape[1]
    tensors["known.residuals"] = torch.randn(len(KNOWN), joint, generator=torch.Generator().manual_seed(2))
    save_file(tensors, tmp_path / "words.safetensors", metadata={"known_words": json.dumps(KNOWN)})
    (embedding,) = open_model(tmp_path).text.embed(["red sofa"], None)
    sentence = by_hand(bert, tmp_path, "red sofa")
    linear = normalize(sentence @ tensors["text_proj"] + tensors["text_bias"], dim=-1)
    weights = torch.exp(7.0 * tensors["known.embeddings"] @ sentence)
    expected = linear + (weights / weights.sum()) @ tensors["known.residuals"]
    torch.testing.assert_close(embedding, normalize(expected, dim=-1), atol=1e-5, rtol=1e-4)
    tensors["known.residuals"] = tensors["known.residuals"][:2].contiguous()
    save_file(tensors, tmp_path / "words.safetensors", metadata={"known_words": json.dumps(KNOWN)})
    with pytest.raises(FeedsegError, match="do not fit its known words"):
        open_model(tmp_path)


def test_words_that_are_far_from_all_that_was_learnt_are_said(tmp_path):
    save(tmp_path)
    segmenter = Segmenter.load(tmp_path, settings=Settings(short_side=32, window=None))
    (found,) = segmenter.unfamiliar(["cat", "sofa", "grass"])
    assert found.word == "grass"
    assert set(found.near) == set(KNOWN)
    with pytest.warns(UserWarning, match="hardly seen anything like 'grass'; try "):
        segmenter.embed(["cat", "grass"])


def test_one_word_is_asked_beside_the_background_that_the_model_knows(tmp_path):
    save(tmp_path)
    segmenter = Segmenter.load(tmp_path, settings=Settings(short_side=32, window=None))
    result = segmenter(np.zeros((32, 32, 3), np.uint8), Vocabulary(["cat"], background="auto"))
    assert result.names == ("background", "cat")
    assert result.synonyms == (("sky",), ("cat",))  # KNOWN has one word of the stock list
    with pytest.raises(FeedsegError, match="no background word is left"):
        segmenter.embed(Vocabulary(["cat; sky"], background="auto"))
    with pytest.raises(FeedsegError, match="'cat' as the only word"):
        segmenter(np.zeros((32, 32, 3), np.uint8), "cat")


def test_forms_of_a_word_have_one_embedding_and_ordinary_words_are_not_touched(tmp_path):
    save(tmp_path)
    text = open_model(tmp_path).text
    one, other = text.embed(["\uff43at", " cat "], None)
    assert torch.equal(one, other)
    torch.testing.assert_close(one, text.embed(["cat"], None)[0], atol=1e-6, rtol=1e-6)
    assert text.takes_any_word
    assert text.known_words == tuple(KNOWN)


def test_a_prompt_that_is_too_long_is_refused(tmp_path):
    save(tmp_path)
    with pytest.raises(FeedsegError, match="takes 16 tokens"):
        open_model(tmp_path).text.embed(["cat " * 30], None)


def test_eight_bits_are_the_product_with_their_scales():
    tensors = {"w": torch.tensor([[1, -127], [3, 4]], dtype=torch.int8), "w.scale": torch.tensor([[0.5], [2.0]])}
    other = {"b": torch.ones(2), "v": torch.zeros(3, dtype=torch.int8), "lone.scale": torch.ones(1)}
    found = dequantised(tensors | other)
    assert set(found) == {"w", "b", "v", "lone.scale"}
    assert found["w"].tolist() == [[0.5, -63.5], [6.0, 8.0]]
    assert found["w"].dtype == torch.float32
    assert tensors["w"].tolist() == [[1, -127], [3, 4]]
    listed = dequantised(tensors | {"w.scale": torch.tensor([0.5, 2.0])})
    assert listed["w"].tolist() == found["w"].tolist()
    assert found["v"].dtype == torch.int8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "tower"}, "is a 'dinov2' model; a manifest's text encoder is one of bert"),
        ({"encoder": "../elsewhere"}, "not below its folder"),
        ({"encoder": 3}, "no folder and no hub repository"),
        ({"projection": "absent.safetensors"}, "absent.safetensors"),
        ({"projection": "alignment.safetensors"}, "lacks 'text_proj'"),
        ({"templates": ["cat"]}, "one {} each"),
        ({"templates": []}, "one {} each"),
        ({"least_similarity": "high"}, "of a wrong type"),
    ],
)
def test_mistakes_in_its_part_of_the_manifest_are_told(tmp_path, changes, message):
    save(tmp_path, **changes)
    with pytest.raises(FeedsegError, match=message) as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_revision_changes_with_the_encoder_and_the_projection(tmp_path):
    save(tmp_path)
    before = open_model(tmp_path).revision
    path = tmp_path / "text/tokenizer.json"
    path.write_text(path.read_text().replace('"sky"', '"skies"'))
    assert open_model(tmp_path).revision != before
