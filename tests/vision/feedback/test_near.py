"""The feedback that keeps to what is near, against its formula in fp64, and against the calibrated one."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from feedseg import CalibratedFeedback, FeedsegError
from feedseg.vision.feedback import FEEDBACKS
from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.feedback.near import NearFeedback

GRID, WIDTH, WORDS = (5, 6), 16, 4


def window(weights: torch.Tensor | None = None):
    """A host, its patches' embeddings, those of a uniform attention, text, and a projection."""
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(1, GRID[0] * GRID[1], WIDTH, generator=generator)
    matrix = torch.randn(WIDTH, 12, generator=generator) / 4

    def project(attended: torch.Tensor) -> torch.Tensor:
        return normalize(attended @ matrix.to(attended.dtype), dim=-1)

    host = HostAttention(weights, values, grid=GRID)
    text = normalize(torch.randn(WORDS, 12, generator=generator), dim=-1)
    return host, project(host.attended), project(host.uniform), text, project


def test_the_affinity_is_the_formula_s() -> None:
    host, first, uniform, text, _ = window()
    how = NearFeedback(std=1.5)
    isolated = how.isolate(first, uniform, text)
    found = how.affinity(host, isolated)(slice(None))[0]
    e = isolated[0].double().numpy()
    e_all = torch.tensor(e)
    predictions = torch.softmax(e_all, dim=-1)
    count = len(e)
    apart = torch.tensor([[((a - b) ** 2).mean() for b in e] for a in e])
    nearest = apart.sort(dim=-1).values[:, max(2, int(0.1 * count)) - 1].mean()
    expected = torch.empty(count, count, dtype=torch.float64)
    for i in range(count):
        for j in range(count):
            down, right = i // GRID[1] - j // GRID[1], i % GRID[1] - j % GRID[1]
            gaussian = torch.exp(torch.tensor(-(down**2 + right**2) / (2 * 1.5**2), dtype=torch.float64))
            expected[i, j] = (predictions[i] @ predictions[j]) * torch.exp(-apart[i, j] / (3 * nearest)) * gaussian**0.5
    expected /= expected.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-4)


def test_with_the_identity_it_differs_and_with_an_attention_it_is_the_calibrated_feedback() -> None:
    parts = window()
    one, other = (how.embed(*parts) for how in (NearFeedback(), CalibratedFeedback()))
    assert (one - other).abs().max() > 1e-3
    assert torch.isfinite(one).all()
    generator = torch.Generator().manual_seed(5)
    parts = window(torch.rand(1, 30, 30, generator=generator).softmax(dim=-1))
    assert torch.equal(NearFeedback().embed(*parts), CalibratedFeedback().embed(*parts))


def test_it_can_be_named_and_says_what_it_cannot_do() -> None:
    assert FEEDBACKS.load("feedseg.vision.feedback.near:NearFeedback") == NearFeedback()
    with pytest.raises(FeedsegError, match="above 0"):
        NearFeedback(std=0)
    host, first, uniform, text, project = window()
    with pytest.raises(ValueError, match="grid"):
        NearFeedback().embed(HostAttention(None, host.values), first, uniform, text, project)
