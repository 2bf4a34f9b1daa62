"""Windows cover every picture, and stitching and resizing are what torch computes for the whole."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from feedseg import Settings
from feedseg.decode import labels as module
from feedseg.decode.labels import label_pixels, resized_rows
from feedseg.io.images import fitted_size
from feedseg.vision.windows import Mosaic, Tile, Window, padded_to_multiple, place_windows

SIDES = st.integers(1, 90)


@given(SIDES, SIDES, SIDES, SIDES, st.data())
def test_windows_cover_the_picture_and_stay_inside(height, width, window_height, window_width, data):
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
    """A picture of 150 × 211, windows of 112 every 56: two rows, three columns, the last ones moved back."""
    windows = place_windows((150, 211), (112, 112), (56, 56))
    assert [(window.top, window.left) for window in windows] == [(0, 0), (0, 56), (0, 99), (38, 0), (38, 56), (38, 99)]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16))
def test_padding_is_even_with_the_odd_pixel_at_the_end(height, width, multiple):
    picture = torch.ones(1, height, width)
    padded, inside = padded_to_multiple(picture, multiple)
    assert padded.shape[-2] % multiple == padded.shape[-1] % multiple == 0
    assert padded.shape[-2] - height < multiple
    assert padded[:, inside.rows, inside.columns].shape == picture.shape
    assert padded.sum() == padded[:, inside.rows, inside.columns].sum() == height * width
    below = padded.shape[-2] - height - inside.top
    assert below - inside.top in (0, 1)


def resized_whole(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear resizing of (C, h, w), across and then down, everything at once."""
    height, width = size
    wide = interpolate(logits.flatten(0, 1)[None], size=width, mode="linear")[0].unflatten(0, logits.shape[:2])
    source = logits.shape[1]
    place = ((torch.arange(height, dtype=torch.float64) + 0.5) * source / height - 0.5).clamp(min=0)
    upper = place.long().clamp(max=source - 1)
    lower = (upper + 1).clamp(max=source - 1)
    return torch.lerp(wide[:, upper], wide[:, lower], (place - upper).float()[:, None])


def stitched_whole(tiles: list[Tile], size: tuple[int, int], resize=resized_whole) -> torch.Tensor:
    """The mean of the windows' logits with all classes at the working size at once."""
    total, count = torch.zeros(len(tiles[0].logits), *size), torch.zeros(size)
    for tile in tiles:
        enlarged = resize(tile.logits, tile.sides)
        total[:, tile.window.rows, tile.window.columns] += enlarged[:, tile.inside.rows, tile.inside.columns]
        count[tile.window.rows, tile.window.columns] += 1
    return total / count


@st.composite
def mosaics(draw):
    """Random logits on windows of a picture, padded to multiples, on a grid of any proxy."""
    size = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    window = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    stride = tuple(draw(st.integers((side + 3) // 4, side)) for side in window)
    multiple = draw(st.integers(1, 14))
    grid = draw(st.none() | st.tuples(st.integers(1, 6), st.integers(1, 6)))
    queries, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**16))
    generator = torch.Generator().manual_seed(seed)
    tiles = []
    for place in place_windows(size, window, stride):
        padded, inside = padded_to_multiple(torch.empty(1, place.height, place.width), multiple)
        sides = (padded.shape[1], padded.shape[2])
        h, w = grid or (sides[0] // multiple, sides[1] // multiple)
        tiles.append(Tile(torch.randn(queries, h, w, generator=generator) * 0.1, sides, inside, place))
    return Mosaic(size, tiles)


@settings(deadline=None)
@given(mosaics(), st.data())
def test_rows_of_a_mosaic_are_those_of_the_whole_to_the_last_bit(mosaic, data):
    size = mosaic.shape[1:]
    whole = stitched_whole(mosaic.tiles, size)
    assert torch.equal(mosaic.rows(0, size[0]), whole)
    start = data.draw(st.integers(0, size[0] - 1))
    stop = data.draw(st.integers(start + 1, size[0]))
    assert torch.equal(mosaic.rows(start, stop), whole[:, start:stop])
    plain = stitched_whole(
        mosaic.tiles, size, lambda logits, sides: interpolate(logits[None], size=sides, mode="bilinear")[0]
    )
    torch.testing.assert_close(whole, plain, atol=1e-6, rtol=0)


@settings(deadline=None)
@given(
    mosaics(),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([1, 300, 1 << 21]),
    st.sampled_from([1, 700, 1 << 24]),
)
def test_labels_of_a_mosaic_are_those_of_the_whole_whatever_the_strips(mosaic, size, strip, block):
    owner = (0, 0, 1, 2, 2, 3)[: mosaic.shape[0]]
    logits = resized_whole(stitched_whole(mosaic.tiles, mosaic.shape[1:]), size)
    expected = torch.tensor(owner)[logits.mul(40).argmax(dim=0)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRIP_ELEMENTS", strip)
        patch.setattr(module, "BLOCK_ELEMENTS", block)
        labels, confidence = label_pixels(mosaic, size, owner, 4, 40.0)
    np.testing.assert_array_equal(labels, expected.numpy())
    np.testing.assert_allclose(confidence, logits.mul(40).softmax(dim=0).amax(dim=0).numpy(), atol=1e-6)


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.data())
def test_strips_equal_the_whole_resize(height, width, target_height, target_width, data):
    picture = torch.randn(3, height, width, generator=torch.Generator().manual_seed(height))
    size = (target_height, target_width)
    whole = interpolate(picture[None].double(), size=size, mode="bilinear", align_corners=False)[0].float()
    start = data.draw(st.integers(0, target_height - 1))
    stop = data.draw(st.integers(start + 1, target_height))
    strip = resized_rows(picture, size, slice(start, stop))
    torch.testing.assert_close(strip, whole[:, start:stop], atol=2e-5, rtol=0)  # torch widens with weights of fp32


@pytest.mark.parametrize("elements", [1, 500, 1 << 24])
def test_labels_equal_the_plain_chain_whatever_the_strips(elements, monkeypatch):
    """Resize, scale, softmax, best query of a class, threshold: written out on the whole picture."""
    monkeypatch.setattr(module, "STRIP_ELEMENTS", elements)
    logits = torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(0)) * 0.1
    owner = (0, 0, 1, 2, 2)
    labels, confidence = label_pixels(logits, (31, 45), owner, 3, 40.0, threshold=0.4)
    scores = interpolate(logits[None], size=(31, 45), mode="bilinear", align_corners=False)[0].mul(40).softmax(0)
    classes = torch.stack([scores[:2].amax(0), scores[2], scores[3:].amax(0)])
    best, expected = classes.max(0)
    expected[best < 0.4] = 0
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, expected.numpy())
    np.testing.assert_allclose(confidence, best.numpy(), atol=1e-5)
    assert 0 < (best < 0.4).float().mean() < 1


def test_a_background_without_words_takes_only_what_is_below_the_threshold():
    logits = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(1))
    labels, confidence = label_pixels(logits, (4, 4), (1, 2), 3, 1.0, threshold=0.6)
    np.testing.assert_array_equal(labels == 0, confidence < 0.6)
    assert set(np.unique(labels)) == {0, 1, 2}


def test_more_than_256_classes_need_two_bytes():
    logits = torch.zeros(300, 2, 2)
    logits[299] = 1
    labels, _ = label_pixels(logits, (2, 2), tuple(range(300)), 300, 10.0)
    assert labels.dtype == np.uint16
    assert (labels == 299).all()


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


def test_fast_settings_leave_the_whole_picture_whole():
    assert Settings(short_side=112, window=None).fast() == Settings(short_side=112, window=None)
