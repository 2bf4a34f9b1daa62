"""A synonym never lowers the probability of its class, and changes no label."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.scores import ClassScores
from feedseg.settings import Softmax


def scored(logits: torch.Tensor, class_of: tuple[int, ...], softmax: Softmax = "classes"):
    scores = ClassScores(StitchedLogits.of_grid(logits, (23, 17)), class_of, max(class_of) + 1, 40.0, softmax)
    return *scores.best(slice(0, 23)), scores.rows(slice(0, 23))


@given(st.integers(0, 1 << 16), st.integers(1, 5))
def test_another_word_never_lowers_its_class(seed: int, words: int):
    logits = torch.randn(words + 2, 4, 3, generator=torch.Generator().manual_seed(seed)) * 0.1
    before = scored(logits[:-1], (*range(words), words))[2]
    label, _, after = scored(logits, (*range(words), words, words))
    assert (after[words] >= before[words] - 1e-6).all()
    assert torch.equal(label, scored(logits, (*range(words), words, words), "words")[0])
    torch.testing.assert_close(after.sum(dim=0), torch.ones(23, 17))


def test_scores_are_probabilities_of_the_patches():
    segmenter = Segmenter.load("mini")
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    words = "striped; zigzag, dotted, bricks"
    result = segmenter(image, words, scores=True)
    logits = segmenter.encode(image).logits(words)
    assert result.scores is not None
    best = torch.stack([logits[:2].amax(dim=0), *logits[2:]])
    torch.testing.assert_close(torch.tensor(result.scores), best.mul(40).softmax(dim=0), atol=1e-5, rtol=0)
    assert segmenter(image, words).scores is None
    windows = segmenter(image, words, scores=True, settings=Settings(short_side=64, window=48, stride=24)).scores
    assert windows is not None
    np.testing.assert_allclose(windows.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"short_side": "x"}, {"window": 2.5}, {"stride": (1, "x")}, {"logit_scale": "x"}, {"softmax": "none"}],
)
def test_settings_say_what_they_are(options):
    with pytest.raises(ValueError, match="not"):
        Settings(**options)


def test_a_synonym_does_not_move_a_photograph_to_the_background(shared):
    photographs = sorted((shared / "realbench/VOC2012").rglob("*.jpg"))
    if not photographs:
        pytest.skip("no photographs")
    segmenter = Segmenter.load("photo")
    plain, synonym = (
        segmenter(photographs[0], Vocabulary([words, "person"], threshold=0.5)).area_fractions["background"]
        for words in ("aeroplane", "aeroplane; airplane")
    )
    assert plain == synonym == 0
