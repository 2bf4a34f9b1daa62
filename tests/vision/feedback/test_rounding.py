"""What the tests of the feedbacks assert does not hang on rounding: inputs moved by one unit in the last place."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg import CalibratedFeedback, FSAFeedback
from feedseg.vision.feedback.calibrated import beyond_chance, beyond_mean, less_mean
from perturb import movement


def problem(seed: int, patches: int = 30, words: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of three heads, values and text."""
    generator = torch.Generator().manual_seed(seed)
    attention = torch.randn(1, 3, patches, patches, generator=generator).mul(2).softmax(dim=-1)
    values, text = torch.randn(1, patches, 12, generator=generator), torch.randn(words, 12, generator=generator)
    return attention, values, normalize(text, dim=-1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("feedback", "most"),
    [
        (CalibratedFeedback(), 1e-5),
        (FSAFeedback(scale=2.0, isolation=3.0, keep=1.0), 2e-5),
        (FSAFeedback(keep=1.0), 2e-4),
    ],
    ids=["calibrated", "small scales", "paper"],
)
def test_an_ulp_stays_small(feedback, most, seed):
    assert movement(lambda *inputs: feedback(inputs[0], inputs[1], lambda x: x, inputs[2]), problem(seed)) < most


def test_agreement_beyond_chance_where_both_are_nearly_one():
    """Predictions that hardly differ: the difference of two cosines near 1 keeps its digits."""
    generator = torch.Generator().manual_seed(0)
    common, own = torch.randn(1, 1, 8, generator=generator), torch.randn(1, 40, 8, generator=generator)
    direction = normalize(common + 0.02 * own, dim=-1)
    weights = torch.randn(1, 40, 40, generator=generator).mul(3).softmax(dim=-1)

    def plain(direction: Tensor) -> Tensor:
        direction = normalize(direction, dim=-1)
        chance = (direction * direction.mean(dim=1, keepdim=True)).sum(dim=-1, keepdim=True)
        rows = weights.to(direction.dtype)
        rows = rows / rows.sum(dim=-1, keepdim=True)
        agreement = (direction * (rows @ direction)).sum(dim=-1, keepdim=True)
        return ((agreement - chance) / (1 - chance)).clamp(min=1e-4)

    differing = less_mean(direction)
    half = differing[..., -1:]
    found = beyond_chance(beyond_mean(differing, weights, slice(None)), half + half.mean(dim=1, keepdim=True))
    exact = plain(direction.double())
    assert (found - exact).abs().max() < 2e-5
    assert (plain(direction) - exact).abs().max() > 1e-4
