"""The class token's blend against transformers' own image embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import tiny_models
from feedseg import FeedsegError, Segmenter, Settings
from feedseg.decode.patches import Patches
from feedseg.decode.refiners.class_token import ClassToken

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
WORDS = "cat, sofa, rug"


@pytest.mark.parametrize("host", ["naclip", "proxyclip"])
def test_the_class_token_is_the_image_embedding_that_transformers_computes(tmp_path: Path, host: str) -> None:
    clip = tiny_models.save_clip(tmp_path)
    settings = Settings(short_side=48, window=32, stride=16)
    proxy = "self" if host == "proxyclip" else None
    segmenter = Segmenter.load(tmp_path, host=host, proxy=proxy, settings=settings, device="cpu")
    encoded = segmenter.encode(PIXELS)
    tower = segmenter.encoder.tower
    text = segmenter.embed(WORDS).double().numpy()
    assert len(encoded.windows) == 4
    expected = []
    for placement, window in encoded.windows:
        assert placement is not None
        part = torch.tensor(PIXELS[placement.window.rows, placement.window.columns]).permute(2, 0, 1) / 255
        mean, std = (torch.tensor(each)[:, None, None] for each in (tower.mean, tower.std))
        with torch.no_grad():
            pooled = clip.vision_model(((part - mean) / std)[None]).pooler_output
            embedding = normalize(clip.visual_projection(pooled)[0], dim=-1)
        torch.testing.assert_close(window.class_token, embedding, atol=1e-5, rtol=1e-5)
        expected.append(text @ embedding.double().numpy())
    plain = encoded.segment(WORDS, scores=True).scores
    blended = encoded.segment(WORDS, refiners=[ClassToken(0.3)], scores=True).scores
    assert plain is not None
    assert blended is not None
    # from the probabilities back to the logits, up to what is the same for all words
    logits = np.log(plain.astype(np.float64)) / 40
    wanted = 0.7 * logits + 0.3 * np.mean(expected, axis=0)[:, None, None]
    found = np.log(blended.astype(np.float64)) / 40
    np.testing.assert_allclose(found - found.mean(axis=0), wanted - wanted.mean(axis=0), atol=1e-4)
    np.testing.assert_array_equal(
        segmenter(PIXELS, WORDS, refiners=["class-token"]).labels,
        encoded.segment(WORDS, refiners=[ClassToken()]).labels,
    )


def test_the_blend_is_the_formula_s_and_patches_keep_theirs_without_weight() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, tokens = torch.rand(2, 3, 4, 5, generator=generator), torch.rand(2, 3, generator=generator)
    patches = Patches(logits, 40.0, torch.zeros(2, 20, 2), class_token=tokens)
    assert torch.equal(ClassToken(0).refine(patches), logits)
    for word in range(3):
        mean = (tokens[0, word] + tokens[1, word]) / 2
        torch.testing.assert_close(ClassToken(0.4).refine(patches)[:, word], 0.6 * logits[:, word] + 0.4 * mean)


def test_an_aligned_tower_reads_its_class_token_as_its_patches(tmp_path: Path) -> None:
    """Without residual: by the layer norm and the projection of its manifest."""
    model = tiny_models.save_aligned(tmp_path)
    segmenter = Segmenter.load(tmp_path, host="clip", settings=Settings(short_side=32, window=None), device="cpu")
    ((_, window),) = segmenter.encode(PIXELS[:32, :32]).windows
    tower = segmenter.encoder.tower
    part = torch.tensor(PIXELS[:32, :32]).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(each)[:, None, None] for each in (tower.mean, tower.std))
    found = {}
    layer = model.encoder.layer[-1].attention.o_proj
    with torch.no_grad():
        handle = layer.register_forward_hook(lambda _, __, output: found.update(output=output))
        model(((part - mean) / std)[None])
        handle.remove()
        expected = normalize(tower.join(found["output"][:, :1]), dim=-1)[0, 0]
    torch.testing.assert_close(window.class_token, expected, atol=1e-5, rtol=1e-5)


def test_a_weight_beyond_1_is_told() -> None:
    with pytest.raises(FeedsegError, match=r"from 0 to 1, not 1\.5"):
        ClassToken(1.5)
