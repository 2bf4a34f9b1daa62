"""MetaCLIP 2 and TIPSv2 against transformers, on tiny random checkpoints in the hub's layout."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize
from torch.testing import assert_close

import tiny_towers
from feedseg import Segmenter
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import open_model
from feedseg.vision.towers.clip import CLIP_MEAN, resize_positions
from feedseg.vision.towers.tipsv2 import TEMPLATES

SAVE = {"metaclip2": tiny_towers.save_metaclip2, "tips": tiny_towers.save_tips}
KNOWN = ["<s>", "<pad>", "</s>", "<unk>", *tiny_towers.pieces()]  # of MetaCLIP 2's tiny tokenizer
SIDES = [(32, 32), (40, 40), (24, 56)]


def windows(height: int, width: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def plain_tokens(tower, batch: torch.Tensor, host: str = "clip") -> torch.Tensor:
    """The patches by a host alone, residual and feed-forward kept."""
    readout = HOSTS.load(host).read_out(tower.encode(batch), None, True)
    return readout.project(readout.attention.attended)


@pytest.mark.parametrize("sides", SIDES)
def test_metaclip2_equals_transformers(tmp_path, sides, monkeypatch):
    """As for CLIP: only transformers' resizing of the positions is replaced by the hosts' reference's."""
    model = tiny_towers.save_metaclip2(tmp_path)
    tower = open_model(tmp_path).tower
    table = resize_positions(model.vision_model.embeddings.position_embedding.weight, (sides[0] // 8, sides[1] // 8))
    monkeypatch.setattr(model.vision_model.embeddings, "interpolate_pos_encoding", lambda *_: table[None])
    batch = windows(*sides)
    hidden = model.vision_model(batch, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
    expected = model.visual_projection(model.vision_model.post_layernorm(hidden))
    assert_close(plain_tokens(tower, batch), expected, atol=1e-5, rtol=1e-4)
    assert tower.mean == CLIP_MEAN


def test_metaclip2_text_is_transformers_on_tokens_by_hand(tmp_path):
    model = tiny_towers.save_metaclip2(tmp_path)
    text = open_model(tmp_path).text
    rows = [["<s>", "▁a", "▁red", "▁cat", "</s>"], ["<s>", "▁a", "▁dog", "</s>", "<pad>"]]
    numbers = torch.tensor([[KNOWN.index(piece) for piece in row] for row in rows])
    expected = normalize(model.get_text_features(input_ids=numbers).pooler_output, dim=-1)
    assert_close(text.embed(["red cat", "dog"], ["a {}"]), expected, atol=1e-5, rtol=1e-4)


def test_metaclip2_takes_words_that_its_tokenizer_has_only_in_pieces(tmp_path):
    tiny_towers.save_metaclip2(tmp_path)
    text = open_model(tmp_path).text
    assert text.takes_any_word
    assert text.embed(["zebra"], None).shape == (1, 20)


@pytest.mark.parametrize("registers", [1, 3])
@pytest.mark.parametrize("sides", SIDES)
def test_tips_equals_transformers(tmp_path, sides, registers):
    model = tiny_towers.save_tips(tmp_path, registers)
    tower = open_model(tmp_path).tower
    batch = windows(*sides)
    hidden = model.vision_model(batch).last_hidden_state[:, 1 + registers :]
    assert_close(tower.encode(batch).final_tokens().flatten(2).transpose(1, 2), hidden, atol=1e-5, rtol=1e-4)
    assert_close(plain_tokens(tower, batch), hidden, atol=1e-5, rtol=1e-4)


def test_tips_reads_values_with_residual_as_published(tmp_path):
    """The last block with its attention replaced by the identity, written out with transformers' submodules."""
    model = tiny_towers.save_tips(tmp_path, layerscale_value=0.5).vision_model
    batch = windows(32, 32)
    tokens = model.embeddings(batch)
    for layer in model.encoder.layer[:-1]:
        tokens = layer(tokens, None)
    last = model.encoder.layer[-1]
    tokens = tokens + last.layer_scale1(last.attention.o_proj(last.attention.v_proj(last.norm1(tokens))))
    tokens = tokens + last.layer_scale2(last.mlp(last.norm2(tokens)))
    found = plain_tokens(open_model(tmp_path).tower, batch, "maskclip")
    assert_close(found, model.layernorm(tokens)[:, 2:], atol=1e-5, rtol=1e-4)


def test_tips_text_is_transformers_on_tokens_by_hand(tmp_path):
    model = tiny_towers.save_tips(tmp_path)
    text = open_model(tmp_path).text
    known, length = ["<unk>", "<pad>", *tiny_towers.pieces()], tiny_towers.LENGTH
    rows = [["▁a", "▁red", "▁cat"], ["▁a", "▁dog"]]  # lower case
    numbers = torch.tensor([[*map(known.index, row), *[1] * (length - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    expected = normalize(model.get_text_features(input_ids=numbers, attention_mask=mask).pooler_output, dim=-1)
    assert_close(text.embed(["Red cat", "DOG"], ["a {}"]), expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(text.embed(["cat"], None), text.embed(["cat"], TEMPLATES))
    assert len(TEMPLATES) == 9


def test_tips_needs_no_temperature(tmp_path):
    """Published checkpoints leave it out, and cosines do without."""
    tiny_towers.save_tips(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["temperature"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert open_model(tmp_path).tower.prefix == 2


@pytest.mark.parametrize("feedback", ["paper", "calibrated"])
@pytest.mark.parametrize("host", HOSTS.names())
@pytest.mark.parametrize("family", list(SAVE))
def test_every_host_takes_them(tmp_path, family, host, feedback):
    SAVE[family](tmp_path)
    options = {"proxy": "self"} if HOSTS.load(host).uses_proxy else {}
    segmenter = Segmenter.load(tmp_path, host=host, feedback=feedback, device="cpu", dtype="fp32", **options)
    (window,) = segmenter.encoder(torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(1)))
    text = segmenter.embed("cat, dog, red sofa")
    plain, fed = window.logits(text, None), window.logits(text, segmenter.feedback)
    assert plain.shape == fed.shape == (3, 4, 5)
    assert plain.isfinite().all()
    assert fed.isfinite().all()
    assert not torch.equal(plain, fed)
