"""Windows cover every picture, and stitching and resizing are what torch computes for the whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from feedseg import Settings
from feedseg import labelling as module
from feedseg.labelling import label_pixels, resized_rows
from feedseg.windows import Canvas, Window, padded_to_multiple, place_windows

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


def test_the_canvas_is_the_mean_of_what_lies_on_it():
    canvas = Canvas(2, (4, 5), torch.device("cpu"))
    canvas.add(Window(0, 0, 4, 3), torch.full((2, 4, 3), 1.0))
    canvas.add(Window(0, 2, 4, 3), torch.full((2, 4, 3), 4.0))
    expected = torch.tensor([1.0, 1.0, 2.5, 4.0, 4.0]).expand(2, 4, 5)
    torch.testing.assert_close(canvas.mean(), expected)


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.data())
def test_strips_equal_the_whole_resize(height, width, target_height, target_width, data):
    picture = torch.randn(3, height, width, generator=torch.Generator().manual_seed(height))
    whole = interpolate(picture[None], size=(target_height, target_width), mode="bilinear", align_corners=False)[0]
    start = data.draw(st.integers(0, target_height - 1))
    stop = data.draw(st.integers(start + 1, target_height))
    strip = resized_rows(picture, (target_height, target_width), slice(start, stop))
    torch.testing.assert_close(strip, whole[:, start:stop], atol=2e-5, rtol=1e-5)


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
