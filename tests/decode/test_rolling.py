"""Logits whose windows come and go have the rows of those that are all held."""

from __future__ import annotations

import pytest
import torch

from feedseg.decode.logits import StitchedLogits
from feedseg.decode.rolling import RollingLogits
from feedseg.vision.windows import Placement, Window, place_windows

WINDOW, STRIDE, GRID = (16, 16), (8, 8), (4, 4)


@pytest.mark.parametrize("size", [(120, 40), (97, 31), (60, 20), (250, 90)])
def test_rows_are_those_of_all_windows_together(size: tuple[int, int]) -> None:
    working = (120, 40)
    windows = place_windows(working, WINDOW, STRIDE)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(len(windows), 3, *GRID, generator=generator)
    placements = [Placement(window, Window(0, 0, *WINDOW), WINDOW) for window in windows]
    whole = StitchedLogits(logits, size, working, placements)
    expected = whole.rows(slice(0, size[0])).clone()
    rolling = RollingLogits(3, size, working, torch.device("cpu"))
    row, most = 0, 0
    tops = sorted({window.top for window in windows})
    for number, top in enumerate(tops):
        for one, placement in zip(logits, placements, strict=True):
            if placement.window.top == top:
                rolling.add(one, placement)
        most = max(most, len(list(rolling._placed())))
        stop = rolling.ready(tops[number + 1] if number + 1 < len(tops) else working[0])
        for start in range(row, stop, 5):
            rows = slice(start, min(start + 5, stop))
            torch.testing.assert_close(rolling.rows(rows), expected[:, rows], rtol=0, atol=0)
        rolling.forget(stop)
        row = stop
    assert row == size[0]
    across = len(windows) // len(tops)
    assert most <= 3 * across  # of 14 rows of windows
    assert not list(rolling._placed())


def test_what_no_window_covers_is_nothing() -> None:
    rolling = RollingLogits(2, (10, 12), (10, 12), torch.device("cpu"))
    assert rolling.ready(10) == 10
    assert not rolling.rows(slice(0, 10)).any()
