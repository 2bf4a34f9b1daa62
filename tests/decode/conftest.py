"""Random scores of a small image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from feedseg.decode.logits import StitchedLogits
from feedseg.decode.scores import ClassScores, Scores


@pytest.fixture
def some_scores() -> Callable[..., Scores]:
    """`some_scores(classes, size, scale)`: probabilities of random logits on 6 × 5 patches."""

    def make(classes: int, size: tuple[int, int], scale: float = 20.0) -> Scores:
        logits = torch.rand(classes, 6, 5, generator=torch.Generator().manual_seed(3))
        return ClassScores(StitchedLogits.of_grid(logits, size), tuple(range(classes)), classes, scale)

    return make


@pytest.fixture
def some_pixels() -> Callable[[tuple[int, int]], np.ndarray]:
    """`some_pixels(size)`: blocks of random colours with some noise, (height, width, 3), uint8."""

    def make(size: tuple[int, int]) -> np.ndarray:
        generator = np.random.default_rng(5)
        blocks = generator.integers(0, 200, (8, 8, 3)).repeat(size[0] // 8 + 1, 0).repeat(size[1] // 8 + 1, 1)
        noise = generator.integers(0, 40, (*size, 3))
        return (blocks[: size[0], : size[1]] + noise).astype(np.uint8)

    return make
