"""A tower that sees a window in parts: where they lie, and what becomes of their tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from feedseg import FeedsegError
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.feedback.fsa import FSAFeedback
from feedseg.vision.hosts import HOSTS
from feedseg.vision.model import open_model
from feedseg.vision.ops import normalised
from feedseg.vision.parts import encode_in_parts, parts_of
from feedseg.vision.proxies.base import TowerProxy
from feedseg.vision.towers.base import VisionTower
from feedseg.vision.windows import Window

PATCH = 8


@pytest.fixture(scope="module")
def tower(tiny_clip: Callable[..., Path]) -> VisionTower:
    return open_model(tiny_clip(patch_size=PATCH)).tower


def windows(rows: int, columns: int, count: int = 2) -> Tensor:
    return torch.rand(count, 3, rows * PATCH, columns * PATCH, generator=torch.Generator().manual_seed(1))


def test_parts_are_as_few_as_overlap_by_half() -> None:
    """21 patches a side are CLIP ViT-B/16's windows of 336 pixels."""
    assert parts_of((21, 28), (21, 21)) == [Window(0, 0, 21, 21), Window(0, 7, 21, 21)]
    assert [part.left for part in parts_of((21, 42), (21, 21))] == [0, 11, 21]
    assert [(part.top, part.left) for part in parts_of((6, 5), (4, 4))] == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert parts_of((5, 3), (21, 21)) == [Window(0, 0, 5, 3)]
    assert len(parts_of((2, 3), (1, 1))) == 6


def test_tokens_are_the_means_of_what_the_parts_make_of_a_patch(tower: VisionTower) -> None:
    """Each patch is collected on its own, and the parts are cut by hand: 4 × 6 patches in parts of 4 × 4 and 4 × 3."""
    pixels = windows(4, 6)
    collected: dict[tuple[int, int, int], list[Tensor]] = defaultdict(list)  # by block, row and column
    leading: dict[int, list[Tensor]] = defaultdict(list)
    for left in (0, 2):
        part = tower.encode(pixels[..., left * PATCH : (left + 4) * PATCH], taps=(1,))
        for block, tokens in part.tokens.items():
            leading[block].append(tokens[:, 0])
            for row in range(4):
                for column in range(4):
                    collected[block, row, left + column].append(tokens[:, 1 + 4 * row + column])
    found = encode_in_parts(tower, pixels, (1,), (4 * PATCH, 4 * PATCH + 3))
    assert found.grid == (4, 6)
    assert sorted(found.tokens) == [0, len(tower.blocks) - 1]
    for block, tokens in found.tokens.items():
        assert tokens.shape == (2, 25, tower.width)
        of_patches = [collected[block, row, column] for row in range(4) for column in range(6)]
        expected = [torch.stack(each).mean(dim=0) for each in (leading[block], *of_patches)]
        torch.testing.assert_close(tokens, torch.stack(expected, dim=1))
    last = len(tower.blocks) - 1
    assert {len(collected[last, 0, column]) for column in (2, 3)} == {2}
    assert (found.tokens[last] - tower.encode(pixels).tokens[last]).abs().max() > 1e-3


def test_a_window_that_is_no_larger_than_a_part_is_seen_at_once(tower: VisionTower) -> None:
    pixels = windows(3, 5)
    found, expected = encode_in_parts(tower, pixels, (), (40, 40)), tower.encode(pixels)
    assert found.grid == expected.grid
    assert all(torch.equal(found.tokens[block], tokens) for block, tokens in expected.tokens.items())


def test_host_and_proxy_see_the_whole_window(tower: VisionTower) -> None:
    encoder = WindowEncoder(tower, HOSTS.load("proxyclip"), TowerProxy(), tower_part=(32, 32))
    pixels = windows(4, 6)
    encoded = encoder(pixels)
    output = encode_in_parts(tower, normalised(pixels, tower.mean, tower.std), (), (32, 32))
    for index, (window, one) in enumerate(zip(encoded, output.windows(), strict=True)):
        assert window.grid == (4, 6)
        assert window.proxied is not None
        torch.testing.assert_close(window.proxied, one.final_tokens())
        (alone,) = encoder(pixels[index : index + 1])
        torch.testing.assert_close(window.first, alone.first)
    (whole,) = replace(encoder, tower_part=None)(pixels[:1])
    assert (whole.first - encoded[0].first).abs().max() > 1e-3


def test_it_is_not_exported(tower: VisionTower, tmp_path: Path) -> None:
    from feedseg.vision.onnx.export import export_windows

    encoder = WindowEncoder(tower, HOSTS.load("naclip"), tower_part=(32, 32))
    with pytest.raises(FeedsegError, match=r"sees windows in parts.*cannot be exported"):
        export_windows(encoder, FSAFeedback(), 20, tmp_path / "image.onnx")
    assert not list(tmp_path.iterdir())
