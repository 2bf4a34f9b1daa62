"""Drawn photos for the bundled toy model, and what the library says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from feedseg import Segmentation, Segmenter, Vocabulary
from feedseg.evaluation.demo import draw_example

WORDS = "striped, dotted, bricks"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three drawn scenes, as PNG files."""
    folder = tmp_path_factory.mktemp("drawn")
    paths = [folder / f"drawn-{seed}.png" for seed in range(3)]
    for seed, path in enumerate(paths):
        Image.fromarray(draw_example(seed).scene.image).save(path)
    return paths


@pytest.fixture(scope="session")
def library() -> Callable[..., Segmentation]:
    """`library(path, words, background=…, threshold=…, …)`: what the library says of a file."""
    segmenter = Segmenter.load("mini")

    def run(
        path: Path, words: str = WORDS, background: str | None = "auto", threshold: float = 0.0, **options: Any
    ) -> Segmentation:
        return segmenter(path, Vocabulary.parse_line(words, background, threshold), **options)

    return run
