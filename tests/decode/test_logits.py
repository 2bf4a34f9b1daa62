"""Stitching and resizing logits in strips against torch on the whole image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from feedseg.decode import logits as logits_module
from feedseg.decode import scores as scores_module
from feedseg.decode.labels import label_image
from feedseg.decode.logits import LogitsBuffer, StitchedLogits
from feedseg.decode.scores import ClassScores
from feedseg.vision.windows import Placement, padded_to_multiple, place_windows

SIDES = st.integers(1, 90)


def labels_of(logits, size, class_of, classes, scale, threshold=0.0):
    """Labels and confidence of a whole image's logits, (C, h, w)."""
    stitched = logits if isinstance(logits, StitchedLogits) else StitchedLogits.of_grid(logits, size)
    return label_image(ClassScores(stitched, class_of, classes, scale, "words"), threshold)


def resized_whole(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear resizing of (C, h, w), across and then down, everything at once."""
    height, width = size
    wide = interpolate(logits.flatten(0, 1)[None], size=width, mode="linear")[0].unflatten(0, logits.shape[:2])
    source = logits.shape[1]
    position = ((torch.arange(height, dtype=torch.float64) + 0.5) * source / height - 0.5).clamp(min=0)
    upper = position.long().clamp(max=source - 1)
    lower = (upper + 1).clamp(max=source - 1)
    return torch.lerp(wide[:, upper], wide[:, lower], (position - upper).float()[:, None])


Windows = list[tuple[torch.Tensor, Placement]]


def stitched_whole(windows: Windows, size: tuple[int, int], resize=resized_whole) -> torch.Tensor:
    """The mean of the windows' logits with all classes at the working size at once."""
    total, count = torch.zeros(len(windows[0][0]), *size), torch.zeros(size)
    for logits, placement in windows:
        window, inside = placement.window, placement.inside
        enlarged = resize(logits, placement.sides)
        total[:, window.rows, window.columns] += enlarged[:, inside.rows, inside.columns]
        count[window.rows, window.columns] += 1
    return total / count


@st.composite
def images_in_windows(draw):
    """Random logits on windows of an image, padded to multiples, on a grid of any proxy; and the working size."""
    size = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    window = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    stride = (draw(st.integers((window[0] + 3) // 4, window[0])), draw(st.integers((window[1] + 3) // 4, window[1])))
    multiple = draw(st.integers(1, 14))
    grid = draw(st.none() | st.tuples(st.integers(1, 6), st.integers(1, 6)))
    queries, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**16))
    generator = torch.Generator().manual_seed(seed)
    windows = []
    for one in place_windows(size, window, stride):
        padded, inside = padded_to_multiple(torch.empty(1, one.height, one.width), multiple)
        sides = (padded.shape[1], padded.shape[2])
        h, w = grid or (sides[0] // multiple, sides[1] // multiple)
        logits = torch.randn(queries, h, w, generator=generator) * 0.1
        windows.append((logits, Placement(one, inside, sides)))
    return windows, size


def stitched(windows: Windows, working: tuple[int, int], size: tuple[int, int]) -> StitchedLogits:
    buffer = LogitsBuffer(working, len(windows))
    for logits, placement in windows:
        buffer.add(logits, placement)
    return buffer.stitched(size)


@settings(deadline=None)
@given(images_in_windows())
def test_the_mean_of_windows_is_that_of_the_whole_to_the_last_bit(drawn):
    windows, working = drawn
    whole = stitched_whole(windows, working)
    assert torch.equal(stitched(windows, working, working).at_working_size(), whole)
    plain = stitched_whole(windows, working, lambda x, sides: interpolate(x[None], size=sides, mode="bilinear")[0])
    torch.testing.assert_close(whole, plain, atol=1e-6, rtol=0)


@settings(deadline=None)
@given(
    images_in_windows(),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([1, 700, 1 << 24]),
    st.data(),
)
def test_rows_are_those_of_the_whole_to_the_last_bit(drawn, size, block, data):
    windows, working = drawn
    whole = resized_whole(stitched_whole(windows, working), size)
    start = data.draw(st.integers(0, size[0] - 1))
    stop = data.draw(st.integers(start + 1, size[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logits_module, "BLOCK_ELEMENTS", block)
        logits = stitched(windows, working, size)
        assert torch.equal(logits.rows(slice(start, stop)), whole[:, start:stop])
        assert torch.equal(logits.rows(slice(0, stop)), whole[:, :stop])


@settings(deadline=None)
@given(
    images_in_windows(),
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([1, 300, 1 << 21]),
)
def test_labels_are_those_of_the_whole_whatever_the_strips(drawn, size, strip):
    windows, working = drawn
    class_of = (0, 0, 1, 2, 2, 3)[: len(windows[0][0])]
    logits = resized_whole(stitched_whole(windows, working), size)
    expected = torch.tensor(class_of)[logits.mul(40).argmax(dim=0)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores_module, "STRIP_ELEMENTS", strip)
        labels, confidence = labels_of(stitched(windows, working, size), size, class_of, 4, 40.0)
    np.testing.assert_array_equal(labels, expected.numpy())
    np.testing.assert_allclose(confidence, logits.mul(40).softmax(dim=0).amax(dim=0).numpy(), atol=1e-6)


@settings(deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.data())
def test_strips_equal_the_whole_resize(height, width, target_height, target_width, data):
    logits = torch.randn(3, height, width, generator=torch.Generator().manual_seed(height))
    size = (target_height, target_width)
    whole = interpolate(logits[None].double(), size=size, mode="bilinear", align_corners=False)[0].float()
    start = data.draw(st.integers(0, target_height - 1))
    stop = data.draw(st.integers(start + 1, target_height))
    strip = StitchedLogits.of_grid(logits, size).rows(slice(start, stop))
    # torch widens with weights of fp32: a position of up to 90 is off by 4e-6 there, and two pixels differ by up to 8.
    torch.testing.assert_close(strip, whole[:, start:stop], atol=1e-4, rtol=0)


@pytest.mark.parametrize("elements", [1, 500, 1 << 24])
def test_labels_equal_the_plain_chain_whatever_the_strips(elements, monkeypatch):
    """Resize, scale, softmax, best query of a class, threshold: written out on the whole image."""
    monkeypatch.setattr(scores_module, "STRIP_ELEMENTS", elements)
    logits = torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(0)) * 0.1
    class_of = (0, 0, 1, 2, 2)
    labels, confidence = labels_of(logits, (31, 45), class_of, 3, 40.0, threshold=0.4)
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
    labels, confidence = labels_of(logits, (4, 4), (1, 2), 3, 1.0, threshold=0.6)
    np.testing.assert_array_equal(labels == 0, confidence < 0.6)
    assert set(np.unique(labels)) == {0, 1, 2}


def test_more_than_256_classes_need_two_bytes():
    logits = torch.zeros(300, 2, 2)
    logits[299] = 1
    labels, _ = labels_of(logits, (2, 2), tuple(range(300)), 300, 10.0)
    assert labels.dtype == np.uint16
    assert (labels == 299).all()


def test_scores_of_classes_are_those_of_their_best_queries():
    logits = torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(0)) * 0.1
    scores = ClassScores(StitchedLogits.of_grid(logits, (11, 9)), (1, 1, 2, 3, 3), 4, 40.0, "words")
    plain = interpolate(logits[None], size=(11, 9), mode="bilinear", align_corners=False)[0].mul(40).softmax(0)
    expected = torch.stack([torch.zeros(11, 9), plain[:2].amax(0), plain[2], plain[3:].amax(0)])
    torch.testing.assert_close(scores.rows(slice(2, 8)), expected[:, 2:8], atol=1e-5, rtol=1e-4)
    label, probability = scores.best(slice(0, 11))
    assert torch.equal(label, expected.argmax(0))
    torch.testing.assert_close(probability, expected.amax(0), atol=1e-5, rtol=1e-4)
