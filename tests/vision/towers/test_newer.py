"""SigLIP, SigLIP 2, MetaCLIP 2 and TIPSv2 against transformers, on tiny random checkpoints in the hub's layout."""

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import tiny_models
from feedseg import FeedsegError, Segmenter, Vocabulary
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import open_model
from feedseg.vision.towers.clip import resize_positions

SAVED = {
    "siglip": tiny_models.save_siglip,
    "siglip2": lambda folder: tiny_models.save_siglip(folder, naflex=True),
    "metaclip2": tiny_models.save_metaclip2,
    "tipsv2": tiny_models.save_tipsv2,
}
SIDES = [(32, 32), (16, 40), (56, 24)]


def windows(height: int, width: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def plain_patches(tower, batch: torch.Tensor) -> torch.Tensor:
    """The patches of normalised windows as the untouched tower has them, (B, N, E)."""
    readout = HOSTS.load("clip").read_out(tower.encode(batch), None, keeps_residual=True)
    return readout.project(readout.attention.attended)


@pytest.mark.parametrize("sides", SIDES)
def test_a_siglip_patch_is_what_the_pooling_head_makes_of_it_alone(tmp_path, sides):
    reference = tiny_models.save_siglip(tmp_path).vision_model
    batch = windows(*sides)
    tokens = reference(batch, interpolate_pos_encoding=True).last_hidden_state
    expected = torch.stack([reference.head(tokens[:, one : one + 1]) for one in range(tokens.shape[1])], dim=1)
    torch.testing.assert_close(plain_patches(open_model(tmp_path).tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sides", SIDES)
def test_a_naflex_patch_is_what_the_pooling_head_makes_of_it_alone(tmp_path, sides):
    """The patches as its own image processor cuts them, at the size that the windows have."""
    reference = tiny_models.save_siglip(tmp_path, naflex=True).vision_model
    batch = windows(*sides)
    grid = (sides[0] // 8, sides[1] // 8)
    cut = np.stack(
        [
            image[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].permute(1, 2, 0).reshape(-1).numpy()
            for image in batch
            for row in range(grid[0])
            for column in range(grid[1])
        ]
    ).reshape(2, grid[0] * grid[1], -1)
    tokens = reference(
        torch.from_numpy(cut),
        pixel_attention_mask=torch.ones(2, grid[0] * grid[1], dtype=torch.long),
        spatial_shapes=torch.tensor([grid, grid]),
    ).last_hidden_state
    expected = torch.stack([reference.head(tokens[:, one : one + 1]) for one in range(tokens.shape[1])], dim=1)
    torch.testing.assert_close(plain_patches(open_model(tmp_path).tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sides", SIDES)
def test_metaclip2_patches_are_transformers(tmp_path, sides, monkeypatch):
    """transformers resizes positions otherwise than the hosts' reference implementations; that alone is replaced."""
    reference = tiny_models.save_metaclip2(tmp_path)
    tower = open_model(tmp_path).tower
    embeddings = reference.vision_model.embeddings
    table = resize_positions(embeddings.position_embedding.weight, (sides[0] // 8, sides[1] // 8))
    monkeypatch.setattr(embeddings, "interpolate_pos_encoding", lambda *_: table[None])
    batch = windows(*sides)
    hidden = reference.vision_model(batch, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
    expected = reference.visual_projection(reference.vision_model.post_layernorm(hidden))
    torch.testing.assert_close(plain_patches(tower, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sides", SIDES)
def test_tipsv2_patches_are_transformers(tmp_path, sides):
    reference = tiny_models.save_tipsv2(tmp_path).vision_model
    batch = windows(*sides)
    expected = reference(batch).last_hidden_state[:, 2:]  # behind the class token and the register
    torch.testing.assert_close(plain_patches(open_model(tmp_path).tower, batch), expected, atol=1e-5, rtol=1e-4)


PROMPTS = ["a photo of the Cat.", "sky", "a bad photo of the red sofa"]


@pytest.mark.parametrize("family", ["siglip", "siglip2", "tipsv2"])
def test_text_in_lower_case_padded_to_the_whole_length(tmp_path, family):
    reference = SAVED[family](tmp_path).text_model
    length = reference.config.max_position_embeddings
    prompts = [prompt[: length - 1] for prompt in PROMPTS]
    numbers = [[tiny_models.LETTERS[letter] for letter in prompt.lower().replace(" ", "▁")] for prompt in prompts]
    if family == "tipsv2":  # SentencePiece's mark stands before the first word, too
        numbers = [[tiny_models.LETTERS["▁"], *line] for line in numbers]
    padding = [[0] * (length - len(line)) for line in numbers]
    lines = [line + gap if family == "tipsv2" else gap + line for line, gap in zip(numbers, padding, strict=True)]
    tokens = torch.tensor(lines)
    mask = {"attention_mask": (tokens != 0).long()} if family == "tipsv2" else {}
    expected = normalize(reference(input_ids=tokens, **mask).pooler_output, dim=-1)
    torch.testing.assert_close(open_model(tmp_path).text.encode(prompts), expected, atol=1e-5, rtol=1e-4)


def test_text_of_metaclip2(tmp_path):
    reference = tiny_models.save_metaclip2(tmp_path)
    numbers = [1, *(4 + tiny_models.WORDS.index(word) for word in "a photo of cat".split()), 3]
    expected = normalize(reference.get_text_features(torch.tensor([numbers])).pooler_output, dim=-1)
    text = open_model(tmp_path).text
    together = text.encode(["a photo of cat", "a good photo of the red sofa"])[:1]  # padded by the second
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", SAVED)
def test_every_host_with_every_feedback_segments(tmp_path, family):
    SAVED[family](tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    words = Vocabulary(["cat", "sky", "red sofa"], templates=["a photo of a {}"])
    seen = set()
    for host in HOSTS.names():
        proxy = "self" if HOSTS.load(host).uses_proxy else None
        segmenter = Segmenter.load(tmp_path, host=host, proxy=proxy, device="cpu")
        encoded = segmenter.encode(image)
        for feedback in ("none", "paper", "calibrated"):
            result = encoded.segment(words, feedback=feedback)
            assert result.labels.shape == (40, 56)
            seen.add(host)
    assert {"clip", "sclip", "clearclip", "naclip", "maskclip", "proxyclip", "gem", "cliper"} <= seen


def test_words_that_are_too_long_are_named(tmp_path):
    tiny_models.save_siglip(tmp_path)
    with pytest.raises(FeedsegError, match="takes 64 tokens"):
        open_model(tmp_path).text.encode(["a cat that is far too long for it, " * 3])


def test_a_siglip_without_a_pooling_head_is_refused(tmp_path):
    tiny_models.save_siglip(tmp_path, vision_use_head=False)
    with pytest.raises(FeedsegError, match="has no pooling head"):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("model_type", "reason"), [("align", "ends without an attention"), ("radio", "it can be a proxy"), ("vit", "not a")]
)
def test_models_without_a_last_attention_or_text_are_refused_with_a_reason(tmp_path, model_type, reason):
    tiny_models.save_clip(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"model_type": model_type}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FeedsegError, match=reason):
        open_model(tmp_path)


def test_an_openclip_model_of_another_library_is_refused_with_a_reason(tmp_path):
    """MobileCLIP and others whose image encoder is timm's."""
    tiny_models.save_clip(tmp_path)
    (tmp_path / "config.json").unlink()
    vision = {"timm_model_name": "fastvit_mci1", "timm_model_pretrained": False, "image_size": 256}
    config = {"model_cfg": {"embed_dim": 512, "vision_cfg": vision, "text_cfg": {"width": 512}}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(FeedsegError, match="plain CLIPs can be opened, and this one sets timm_model_name"):
        open_model(tmp_path)
