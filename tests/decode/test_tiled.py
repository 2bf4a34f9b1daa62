"""The best class by tiles against strips, which score every pixel by every word."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from feedseg.decode.logits import LogitsBuffer, StitchedLogits
from feedseg.decode.scores import ClassScores
from feedseg.decode.tiled import TiledBest
from feedseg.errors import FeedsegError
from feedseg.vision.windows import Placement, place_windows

CLOSE, EPS = 1e-6, torch.finfo(torch.float32).eps


def both(make, class_of, groups, scale, softmax):
    """Labels and probabilities by tiles, those of strips, and those in fp64 from the strips' logits."""
    logits = make()
    bands = list(TiledBest(logits, class_of, groups, scale).bands())
    label, probability = torch.cat([band[1] for band in bands]), torch.cat([band[2] for band in bands])
    whole = slice(0, logits.shape[1])
    assert [row for band in bands for row in range(band[0].start, band[0].stop)] == list(range(whole.stop))
    expected, direct = ClassScores(make(), class_of, max(class_of) + 1, scale, softmax).best(whole)
    scaled = make().rows(whole).double().mul(scale)
    of_groups = torch.stack([scaled[list(group)].amax(dim=0) for group in groups])
    close = CLOSE + EPS * scaled.abs().max().item()  # scaled logits are rounded to fp32
    return label, probability, expected, direct, of_groups.softmax(dim=0).amax(dim=0), close


def check(make, class_of, scale, softmax="classes"):
    labels = sorted(set(class_of))
    groups = [[index for index, label in enumerate(class_of) if label == one] for one in labels]
    if softmax == "words":
        groups = [[index] for index in range(len(class_of))]
    with torch.inference_mode():
        label, probability, expected, direct, exact, close = both(make, class_of, groups, scale, softmax)
    assert torch.equal(label, expected)
    torch.testing.assert_close(probability.double(), exact, atol=close, rtol=0)
    torch.testing.assert_close(probability, direct, atol=close, rtol=0)


@st.composite
def grids(draw, most_words=30):
    """Logits of an image on a grid, some of them smooth, some steep; a size; words of classes; a scale."""
    words = draw(st.integers(2, most_words))
    grid = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    size = draw(st.tuples(st.integers(1, 90), st.integers(1, 90)))
    spread = draw(st.sampled_from([0.0, 0.002, 0.02, 0.1, 0.5]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    logits = torch.randn(words, *grid, generator=generator) * spread
    logits += draw(st.sampled_from([0.0, 0.05, 0.3])) * torch.randn(words, 1, 1, generator=generator)
    step = draw(st.integers(1, 4))
    return logits, size, tuple(word // step for word in range(words)), draw(st.sampled_from([1.0, 40.0, 100.0]))


@settings(deadline=None, max_examples=150)
@given(grids(), st.sampled_from(["classes", "words"]))
def test_labels_are_those_of_strips_and_probabilities_the_softmax(drawn, softmax):
    logits, size, class_of, scale = drawn
    check(lambda: StitchedLogits.of_grid(logits, size), class_of, scale, softmax)


@pytest.mark.parametrize("softmax", ["classes", "words"])
@pytest.mark.parametrize("scale", [3.0, 40.0, 4000.0])
def test_overlapping_windows_and_large_cells(scale, softmax):
    working, size = (40, 52), (333, 501)
    generator = torch.Generator().manual_seed(1)
    buffer = LogitsBuffer(working, len(places := place_windows(working, (24, 24), (16, 14))))
    for place in places:
        buffer.add(torch.randn(21, 3, 4, generator=generator) * 0.1, Placement(place, place_at(place), (24, 24)))
    class_of = tuple(sorted(word % 8 for word in range(21)))
    check(lambda: buffer.stitched(size), class_of, scale, softmax)
    check(
        lambda: StitchedLogits.of_grid(torch.randn(21, 3, 4, generator=generator.manual_seed(2)) * 0.1, size),
        class_of,
        scale,
        softmax,
    )


def place_at(place):
    return place.__class__(0, 0, place.height, place.width)


def test_where_all_words_are_equal_the_first_one_counts():
    logits = torch.zeros(12, 3, 3)
    check(lambda: StitchedLogits.of_grid(logits, (70, 50)), tuple(range(12)), 40.0)
    random = torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(0)) * 0.1
    twice = torch.cat((random, random))
    check(lambda: StitchedLogits.of_grid(twice, (70, 50)), tuple(range(12)), 40.0)
    check(lambda: StitchedLogits.of_grid(twice, (70, 50)), (0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3), 40.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(value):
    logits = torch.zeros(12, 3, 3)
    logits[7, 1, 1] = value
    with pytest.raises(FeedsegError, match="not finite"):
        list(
            TiledBest(StitchedLogits.of_grid(logits, (90, 90)), range(12), [[word] for word in range(12)], 40.0).bands()
        )


def test_memory_does_not_grow_with_classes_times_pixels():
    """No tensor of the tiles holds more than a few bands of an image."""
    logits = torch.randn(300, 6, 8, generator=torch.Generator().manual_seed(0)) * 0.1
    tiled = TiledBest(StitchedLogits.of_grid(logits, (900, 1200)), range(300), [[word] for word in range(300)], 40.0)
    for rows, label, probability in tiled.bands():
        assert label.shape == probability.shape == (rows.stop - rows.start, 1200)
        assert rows.stop - rows.start <= 16
