"""Pruned words against a softmax that never had them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feedseg.decode.logits import StitchedLogits
from feedseg.decode.refiners.prune_words import PruneWords
from feedseg.decode.scores import ClassScores
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage

IMAGE = RgbImage(np.zeros((24, 20, 3), np.uint8))


def of(logits: torch.Tensor) -> ClassScores:
    return ClassScores(StitchedLogits.of_grid(logits, (24, 20)), tuple(range(len(logits))), len(logits), 8.0)


@torch.inference_mode()
def test_what_stays_is_as_if_the_others_had_not_been_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedseg.decode.scores.STRIP_ELEMENTS", 100)
    logits = torch.rand(5, 6, 5, generator=torch.Generator().manual_seed(2))
    logits[3] *= 0.3
    peaks = of(logits).rows(slice(None)).amax(dim=(1, 2))
    bound = (peaks[3].item() + peaks[[1, 2, 4]].min().item()) / 2
    assert peaks[3] < bound
    found = PruneWords(bound)(of(logits), IMAGE).rows(slice(None))
    expected = of(logits[[0, 1, 2, 4]]).rows(slice(None))
    torch.testing.assert_close(found[[0, 1, 2, 4]], expected)
    assert not found[3].any()


@torch.inference_mode()
def test_class_0_and_the_surest_class_always_stay() -> None:
    logits = torch.rand(4, 6, 5, generator=torch.Generator().manual_seed(2))
    logits[2] += 0.2
    found = PruneWords(1.0)(of(logits), IMAGE).rows(slice(None))
    assert [bool(one.any()) for one in found] == [True, False, True, False]
    torch.testing.assert_close(found.sum(dim=0), torch.ones(24, 20))


def test_a_bound_beyond_1_is_told() -> None:
    with pytest.raises(FeedsegError, match="from 0 to 1, not 2"):
        PruneWords(2)
