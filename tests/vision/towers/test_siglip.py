"""SigLIP and SigLIP 2 against transformers, on tiny random checkpoints in the hub's layout."""

import json
import pickle
import string

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

import reference
import tiny_towers
from feedseg import CalibratedFeedback, FeedsegError, FSAFeedback, Segmenter
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.sc_clip import ScClip
from feedseg.vision.model import open_model
from feedseg.vision.ops import normalised
from feedseg.vision.text.padded import load_padded_tokenizer
from feedseg.vision.towers.siglip import SiglipFamily, normalisers
from feedseg.weights.checkpoint import find_checkpoint

KINDS = ["siglip", "siglip2", "naflex"]


def windows(height: int, width: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def last_hidden(model, kind: str, batch: torch.Tensor) -> torch.Tensor:
    """transformers' own patches behind the final norm, (B, N, D)."""
    if kind != "naflex":
        return model.vision_model(batch, interpolate_pos_encoding=True).last_hidden_state
    from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches

    patches = torch.stack([torch.from_numpy(convert_image_to_patches(one.numpy(), 8)) for one in batch])
    shape = torch.tensor([[batch.shape[2] // 8, batch.shape[3] // 8]] * len(batch))
    mask = torch.ones(patches.shape[:2], dtype=torch.long)
    return model.vision_model(patches, pixel_attention_mask=mask, spatial_shapes=shape).last_hidden_state


def pooled_alone(model, hidden: torch.Tensor) -> torch.Tensor:
    """transformers' pooling of every patch as if it were the whole image, (B, N, D)."""
    return model.vision_model.head(hidden.reshape(-1, 1, hidden.shape[-1])).view(hidden.shape)


def plain_tokens(tower, batch: torch.Tensor) -> torch.Tensor:
    """What the untouched tower says of its patches: its own attention, residual and feed-forward kept."""
    readout = HOSTS.load("clip").read_out(tower.encode(batch), None, True)
    return readout.project(readout.attention.attended)


@pytest.mark.parametrize("sides", [(32, 32), (40, 40), (24, 56), (64, 16)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_is_pooled_alone(tmp_path, kind, sides):
    model = tiny_towers.save_siglip(tmp_path, kind)
    tower = open_model(tmp_path).tower
    batch = windows(*sides)
    hidden = last_hidden(model, kind, batch)
    final = tower.encode(batch).final_tokens()
    assert final.shape == (2, 32, sides[0] // 8, sides[1] // 8)
    assert_close(final.flatten(2).transpose(1, 2), hidden, atol=1e-5, rtol=1e-4)
    assert_close(plain_tokens(tower, batch), pooled_alone(model, hidden), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_heads_feed_forward_can_be_left_out(tmp_path, kind):
    model = tiny_towers.save_siglip(tmp_path, kind)
    checkpoint = find_checkpoint(tmp_path, tokenizer=True)
    without = SiglipFamily(head_mlp=False).open(checkpoint)
    batch = windows(32, 32)
    hidden = last_hidden(model, kind, batch).flatten(0, 1)[:, None]
    head = model.vision_model.head
    expected = head.attention(head.probe.expand(len(hidden), -1, -1), hidden, hidden)[0].view(2, 16, 32)
    assert_close(plain_tokens(without.tower, batch), expected, atol=1e-5, rtol=1e-4)
    assert without.revision != open_model(tmp_path).revision


def test_an_image_of_one_patch_is_that_patch(tmp_path):
    """The pooled image of one patch is that patch's embedding: the joint space is the one that the text is in."""
    model = tiny_towers.save_siglip(tmp_path, image_size=8)
    batch = windows(8, 8)
    assert_close(
        plain_tokens(open_model(tmp_path).tower, batch)[:, 0],
        model.get_image_features(batch).pooler_output,
        atol=1e-5,
        rtol=1e-4,
    )


def numbers(kind: str, prompts: list[list[str]]) -> torch.Tensor:
    """Token numbers written out by hand: the pieces, the end, padding to the right."""
    if kind == "siglip":
        known, end, padding = ["<unk>", "</s>", *tiny_towers.pieces()], 1, 1
    else:
        special, merged = ["<pad>", "<eos>", "<bos>", "<unk>"], ["ca", "cat", "do", "dog", "re", "red"]
        known, end, padding = [*special, "▁", *tiny_towers.LETTERS, ".", *merged], 1, 0
    rows = [[known.index(piece) for piece in pieces] + [end] for pieces in prompts]
    return torch.tensor([row + [padding] * (tiny_towers.LENGTH - len(row)) for row in rows])


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        ("siglip", [["▁a", "▁red", "▁cat"], ["▁dog"]]),  # lower case, without punctuation
        ("siglip2", [["a", "▁", "red", "▁", "cat", "."], ["dog", "."]]),  # lower case
        ("naflex", [["a", "▁", "red", "▁", "cat", "."], ["dog", "."]]),
    ],
)
def test_text_is_transformers_on_tokens_by_hand(tmp_path, kind, pieces):
    model = tiny_towers.save_siglip(tmp_path, kind)
    text = open_model(tmp_path).text
    expected = normalize(model.get_text_features(input_ids=numbers(kind, pieces)).pooler_output, dim=-1)
    found = text.embed(["A Red cat", "DOG"], ["{}."])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    one, other = text.embed(["cat"], ["{}", "a {}"]), text.embed(["cat"], ["{}"]) + text.embed(["cat"], ["a {}"])
    assert_close(one, normalize(other, dim=-1), atol=1e-5, rtol=1e-4)
    with pytest.raises(FeedsegError, match="takes 64 tokens"):
        text.embed(["zzz " * 40], ["{}"])


@pytest.mark.parametrize(
    "prompt", ["A [red]-cat!", " \\two\t words ", "it's 'so' ^_~ {x}", "Ünicode — ÀB", "日本 語。", ""]
)
@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_prompts_are_normalised_as_in_training(tmp_path, kind, prompt):
    """big_vision's way: lower case, and for the first SigLIP no punctuation and single spaces."""
    tiny_towers.save_siglip(tmp_path, kind)
    checkpoint = find_checkpoint(tmp_path, tokenizer=True)
    padded = load_padded_tokenizer(checkpoint, 8, normalisers(checkpoint), ends=True)
    without = "".join(letter for letter in prompt.lower() if letter not in string.punctuation)
    expected = " ".join(without.split()) if kind == "siglip" else prompt.lower().replace(" ", "▁")
    assert padded.tokenizer.normalizer.normalize_str(prompt) == expected


@pytest.mark.parametrize("feedback", ["paper", "calibrated"])
@pytest.mark.parametrize("host", HOSTS.names())
def test_every_host_takes_a_tower_without_a_class_token(tmp_path_factory, host, feedback):
    folder = tmp_path_factory.mktemp("siglip")
    tiny_towers.save_siglip(folder)
    options = {"proxy": "self"} if HOSTS.load(host).uses_proxy else {}
    segmenter = Segmenter.load(folder, host=host, feedback=feedback, device="cpu", dtype="fp32", **options)
    (window,) = segmenter.encoder(torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(1)))
    text = segmenter.embed("cat, dog, red sofa")
    plain, fed = window.logits(text, None), window.logits(text, segmenter.feedback)
    assert plain.shape == fed.shape == (3, 4, 5)
    assert plain.isfinite().all()
    assert fed.isfinite().all()
    assert not torch.equal(plain, fed)


def test_no_patch_is_taken_for_a_class_token(tmp_path):
    """SC-CLIP adds the class token to every patch, which a tower without one has not."""
    tiny_towers.save_siglip(tmp_path)
    tower = open_model(tmp_path).tower
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    found = [WindowEncoder(tower, ScClip(class_token_weight=weight))(pixels)[0].first for weight in (0.0, 5.0)]
    assert torch.equal(*found)


@pytest.mark.parametrize("feedback", ["paper", "calibrated"])
def test_feedback_is_the_direct_formula(tmp_path, feedback):
    """Written out with transformers' submodules, on the paper's own restatement where there is one."""
    model = tiny_towers.save_siglip(tmp_path)
    tower = open_model(tmp_path).tower
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    text = normalize(torch.randn(4, 32, generator=torch.Generator().manual_seed(6)), dim=-1)
    vision = model.vision_model
    tokens = vision.embeddings(normalised(pixels, (0.5,) * 3, (0.5,) * 3))
    for layer in vision.encoder.layers[:-1]:
        tokens = layer(tokens, None)
    last = vision.encoder.layers[-1]
    entering = last.layer_norm1(tokens)
    query, key, values = (
        projection(entering).unflatten(-1, (4, 8)).transpose(1, 2)
        for projection in (last.self_attn.q_proj, last.self_attn.k_proj, last.self_attn.v_proj)
    )
    attention = (query @ key.transpose(-1, -2) / 8**0.5).softmax(-1)

    def read(attended):
        one = tokens + last.self_attn.out_proj(attended)
        whole = vision.post_layernorm(one + last.mlp(last.layer_norm2(one)))
        return pooled_alone(model, whole)

    chosen = FSAFeedback() if feedback == "paper" else CalibratedFeedback()
    (window,) = WindowEncoder(tower, HOSTS.load("clip"), residual=True)(pixels)
    found = normalize(window.embeddings(text, chosen), dim=-1)
    if feedback == "calibrated":
        expected = chosen(attention, values, read, text)[0]
    else:
        constants = (20.0, 35.0, 0.45, 3.0)
        expected, decided = reference.refined_embeddings(
            attention[0], values[0], lambda one: read(one[None])[0], text, 0, constants
        )
        assert decided
        expected = normalize(expected, dim=-1)
    assert_close(found[0], expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_segmenter_with_it_pickles_and_runs_in_half(tmp_path, kind):
    tiny_towers.save_siglip(tmp_path, kind)
    image = torch.randint(0, 256, (40, 56, 3), generator=torch.Generator().manual_seed(7), dtype=torch.uint8).numpy()
    segmenter = Segmenter.load(tmp_path, host="naclip", device="cpu")
    again = pickle.loads(pickle.dumps(segmenter))
    assert (again(image, "cat, dog").labels == segmenter(image, "cat, dog").labels).all()
    half = Segmenter.load(tmp_path, host="naclip", device="cpu", dtype="bf16")
    assert half(image, "cat, dog").labels.shape == (40, 56)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("tokenizer.json", None, r"has no tokenizer\.json"),
        ("tokenizer.json", "{}", "no usable tokenizer"),
        ("tokenizer_config.json", {"pad_token": "<none>"}, "no pad_token '<none>'"),
        ("tokenizer_config.json", {"eos_token": None}, "no eos_token None"),
        ("config.json", {"vision_config": {"vision_use_head": False}}, "no pooling head"),
    ],
)
def test_incomplete_checkpoints_say_so_in_one_line(tmp_path, file, change, message):
    tiny_towers.save_siglip(tmp_path)
    path = tmp_path / file
    if change is None:
        path.unlink()
    elif isinstance(change, str):
        path.write_text(change)
    else:
        content = json.loads(path.read_text())
        for key, value in change.items():
            content[key] = content[key] | value if isinstance(value, dict) else value
        path.write_text(json.dumps(content))
    with pytest.raises(FeedsegError, match=message) as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)
