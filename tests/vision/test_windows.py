"""Windows cover every image, padded to whole patches."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feedseg import FeedsegError, Settings
from feedseg.io.images import fitted_size
from feedseg.vision.windows import Window, padded_to_multiple, place_windows

SIDES = st.integers(1, 90)


@given(SIDES, SIDES, SIDES, SIDES, st.data())
def test_windows_cover_the_image_and_stay_inside(height, width, window_height, window_width, data):
    stride = (data.draw(st.integers(1, window_height)), data.draw(st.integers(1, window_width)))
    windows = place_windows((height, width), (window_height, window_width), stride)
    covered = np.zeros((height, width), int)
    for window in windows:
        assert window.top >= 0
        assert window.left >= 0
        assert (window.height, window.width) == (min(window_height, height), min(window_width, width))
        covered[window.rows, window.columns] += 1
    assert covered.shape == (height, width)
    assert covered.min() >= 1
    assert len(set(windows)) == len(windows)


def test_windows_of_a_known_case():
    """An image of 150 × 211, windows of 112 every 56: two rows, three columns, the last ones moved back."""
    windows = place_windows((150, 211), (112, 112), (56, 56))
    assert [(window.top, window.left) for window in windows] == [(0, 0), (0, 56), (0, 99), (38, 0), (38, 56), (38, 99)]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16))
def test_padding_is_even_with_the_odd_pixel_at_the_end(height, width, multiple):
    image = torch.ones(1, height, width)
    padded, inside = padded_to_multiple(image, multiple)
    assert padded.shape[-2] % multiple == padded.shape[-1] % multiple == 0
    assert padded.shape[-2] - height < multiple
    assert padded[:, inside.rows, inside.columns].shape == image.shape
    assert padded.sum() == padded[:, inside.rows, inside.columns].sum() == height * width
    below = padded.shape[-2] - height - inside.top
    assert below - inside.top in (0, 1)


@pytest.mark.parametrize("options", [{"stride": 400}, {"stride": 0}, {"window": (100, 50), "stride": (10, 60)}])
def test_strides_that_leave_gaps_are_refused(options):
    with pytest.raises(ValueError, match="stride"):
        Settings(**options)


@given(st.integers(1, 2000), st.integers(1, 4000), st.sampled_from([224, 336, 448, 1344]))
def test_fast_settings_look_at_every_part_once(short, long, short_side):
    """One window where the sides differ by no more than twice; a panorama's only as many as cover it."""
    fast = Settings(short_side=short_side, window=112, stride=56, logit_scale=50.0).fast()
    side = fast.window_sides[0]
    assert fast == Settings(short_side=short_side, window=side, stride=None, logit_scale=50.0)
    size = fitted_size((short, long), fast.short_side, fast.max_long_side)
    windows = place_windows(size, fast.window_sides, fast.stride_sides)
    assert len(windows) == math.ceil(size[0] / side) * math.ceil(size[1] / side)
    assert max(max(window.height, window.width) for window in windows) <= min(2 * short_side, 896)
    covered = np.zeros(size, np.int64)
    for window in windows:
        covered[window.rows, window.columns] += 1
    assert covered.min() == 1
    rows, columns = ({getattr(window, side) for window in windows} for side in ("height", "width"))
    assert len(rows) == len(columns) == 1
    # once, but for what rounding up to whole pixels makes windows overlap
    assert sum(window.height * window.width for window in windows) <= (size[0] + 3) * (size[1] + 3)
    if max(size) <= 2 * min(size) and short_side <= 448:
        assert windows == [Window(0, 0, *size)]


def test_fast_settings_leave_the_whole_image_whole():
    assert Settings(short_side=112, window=None).fast() == Settings(short_side=112, window=None)


def test_what_would_never_end_is_refused():
    with pytest.raises(FeedsegError, match=r"2048 × 1536 pixels would be cut into 2,057,313 windows.*--stride"):
        place_windows((1536, 2048), (336, 336), (1, 1))
    assert len(place_windows((1536, 2048), (336, 336), (112, 112))) == 12 * 17
