"""Averages of scores over frames, against the sum written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feedseg.decode.steady import AveragedScores, Steady
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage

IMAGE = RgbImage(np.zeros((5, 7, 3), np.uint8))


def scores(seed: int, shape: tuple[int, int, int] = (3, 5, 7)) -> AveragedScores:
    return AveragedScores(torch.rand(shape, generator=torch.Generator().manual_seed(seed)).softmax(0))


def test_the_average_is_the_weighted_sum_of_all_frames() -> None:
    steady, alpha = Steady(0.4), 0.4
    found = [steady(scores(seed), IMAGE).rows(slice(None)) for seed in range(4)][-1]
    weights = [(1 - alpha) ** 3, alpha * (1 - alpha) ** 2, alpha * (1 - alpha), alpha]
    expected = sum(weight * scores(seed).rows(slice(None)) for seed, weight in enumerate(weights))
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_another_size_begins_anew_and_values_can_be_taken_over() -> None:
    first, second = Steady(0.5), Steady(0.5)
    first(scores(0), IMAGE)
    kept = first.average.values
    assert kept is not None
    second.average.values = kept.clone()
    torch.testing.assert_close(second(scores(1), IMAGE).rows(slice(None)), first(scores(1), IMAGE).rows(slice(None)))
    other = scores(2, (3, 4, 7))
    torch.testing.assert_close(first(other, IMAGE).rows(slice(1, 3)), other.rows(slice(1, 3)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("alpha", [0, -1, 1.5, float("nan")])
def test_alpha_is_a_part(alpha: float) -> None:
    with pytest.raises(FeedsegError, match="above 0 and at most 1"):
        Steady(alpha)
