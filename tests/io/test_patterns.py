import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from feedseg.io.palette import TOO_CLOSE, class_colours, distances, far_apart
from feedseg.io.patterns import PATTERNS, choose_patterns, draw_patterns, ink_on, pattern_mask, swatch


def test_colours_that_everyone_tells_apart_need_no_pattern() -> None:
    assert set(choose_patterns(far_apart(10))) == {"plain"}
    assert choose_patterns(np.zeros((0, 3), np.uint8)) == ()


def test_the_smaller_of_two_that_are_alike_has_the_pattern() -> None:
    assert choose_patterns(np.array([[200, 30, 40], [20, 40, 250], [201, 30, 40]])) == ("plain", "plain", "diagonal")


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=12))
def test_no_two_classes_are_alike_in_colour_and_pattern(colours: list[tuple[int, int, int]]) -> None:
    values = np.array(colours)
    patterns, apart = choose_patterns(values), distances(values)
    exhausted = {index for index, row in enumerate(apart) if (row[:index] < TOO_CLOSE).sum() >= len(PATTERNS)}
    for index in set(range(len(colours))) - exhausted:
        for other in range(index):
            assert patterns[index] != patterns[other] or apart[index, other] >= TOO_CLOSE


def test_twenty_common_words_fit_into_the_patterns() -> None:
    words = "person sky tree grass road building car dog cat wall floor water bird horse cow sheep boat bus train chair"
    colours = class_colours(words.split(), False)
    patterns, apart = choose_patterns(colours), distances(colours)
    alike = [(a, b) for a in range(20) for b in range(a) if patterns[a] == patterns[b] and apart[a, b] < TOO_CLOSE]
    assert alike == []
    assert patterns.count("plain") >= 10


@pytest.mark.parametrize("pattern", PATTERNS[1:])
def test_patterns_show_in_a_swatch_and_repeat(pattern: str) -> None:
    mask = pattern_mask(pattern, 48, 48, 8)
    assert 0.15 < mask.mean() < 0.6
    np.testing.assert_array_equal(mask[:, :32], mask[:, 16:])
    np.testing.assert_array_equal(mask[:32], mask[16:])
    drawn = np.asarray(swatch((255, 127, 10), pattern, 14))
    assert {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()} > {(255, 127, 10)}


def test_patterns_differ_from_each_other() -> None:
    masks = [pattern_mask(pattern, 48, 48, 8) for pattern in PATTERNS]
    for number, mask in enumerate(masks):
        for other in masks[:number]:
            assert (mask != other).mean() > 0.15


def test_a_pattern_is_drawn_on_its_class_alone() -> None:
    labels = np.repeat([0, 1], 40)[None].repeat(40, axis=0)
    colours = np.array([[255, 200, 0], [40, 0, 90]], np.uint8)
    image = Image.fromarray(colours[labels])
    draw_patterns(image, labels, colours, ("plain", "dots"), 8)
    drawn = np.asarray(image).astype(int)
    assert (drawn[:, :40] == (255, 200, 0)).all()
    changed = (drawn[:, 40:] != (40, 0, 90)).any(axis=-1)
    assert 0.15 < changed.mean() < 0.6
    assert drawn[:, 40:][changed].mean() > 120, "light on a dark colour"


def test_ink_stands_out() -> None:
    assert ink_on((255, 255, 0)) == (0, 0, 0)
    assert ink_on((20, 0, 90)) == (255, 255, 255)
