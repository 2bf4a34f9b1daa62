import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from feedseg.errors import FeedsegError
from feedseg.io.cleaning import Regions

maps = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 2))


def read(drawing: str) -> np.ndarray:
    return np.array([[int(digit) for digit in line] for line in drawing.split()], np.uint8)


def regions(labels: np.ndarray) -> list[np.ndarray]:
    """The masks of all regions, by SciPy."""
    found = []
    for label in np.unique(labels):
        numbered, count = ndimage.label(labels == label)  # pyright: ignore
        found += [numbered == number for number in range(1, count + 1)]
    return found


SMALL = [
    ("a speck", "000 010 000", 2, "000 000 000"),
    ("large enough", "000 010 000", 1, "000 010 000"),
    ("the longest border wins", "1222 1322 1222", 2, "1222 1222 1222"),
    ("of equally long borders the lower class", "12 12 32 12 12", 2, "12 12 12 12 12"),
    ("the smallest first", "0000 0120 0020 0000", 4, "0000 0000 0000 0000"),
    ("specks that join the same class become one region", "11111 12321 11111", 2, "11111 11111 11111"),
    ("nothing is left but the largest", "0012 0012", 99, "0000 0000"),
    ("a map of one region", "11 11", 99, "11 11"),
]


@pytest.mark.parametrize(("before", "least", "after"), [case[1:] for case in SMALL], ids=[case[0] for case in SMALL])
def test_small_regions_take_the_class_around_them(before: str, least: int, after: str) -> None:
    np.testing.assert_array_equal(Regions(least).cleaned(read(before), False), read(after))


HOLES = [
    ("of the background", "11111 10001 11111", True, "11111 11111 11111"),
    ("open to the border", "11111 00001 11111", True, "11111 00001 11111"),
    ("between two objects", "11222 10002 11222", True, "11222 10002 11222"),
    ("another object is no hole", "11111 12221 11111", True, "11111 12221 11111"),
    ("touching the outside by a corner only", "0111 1011 1111", True, "0111 1111 1111"),
    ("without a background large ones stay", "11111 10001 11111", False, "11111 10001 11111"),
]


@pytest.mark.parametrize(("before", "background", "after"), [c[1:] for c in HOLES], ids=[c[0] for c in HOLES])
def test_holes_take_the_class_around_them(before: str, background: bool, after: str) -> None:
    np.testing.assert_array_equal(Regions(fill_holes=True).cleaned(read(before), background), read(after))


@pytest.mark.parametrize(("side", "filled"), [(10, False), (11, True)])
def test_without_a_background_a_hole_has_less_than_a_hundredth_of_what_is_around_it(side: int, filled: bool) -> None:
    labels = np.ones((side, side), np.uint8)  # 99 or 120 pixels around the one
    labels[5, 5] = 2
    assert (Regions(fill_holes=True).cleaned(labels, False)[5, 5] == 1) == filled


@given(maps, st.integers(0, 40))
def test_no_small_region_stays_and_large_ones_keep_their_pixels(labels: np.ndarray, least: int) -> None:
    cleaned = Regions(least).cleaned(labels, False)
    after = regions(cleaned)
    assert len(after) == 1 or min(mask.sum() for mask in after) >= least
    assert set(np.unique(cleaned)) <= set(np.unique(labels))
    for mask in regions(labels):
        if mask.sum() >= least:
            assert len(np.unique(cleaned[mask])) == 1
            assert cleaned[mask][0] == labels[mask][0]
    np.testing.assert_array_equal(Regions(least).cleaned(cleaned, False), cleaned)


@given(maps)
def test_filled_holes_are_those_that_filling_says(labels: np.ndarray) -> None:
    """Against SciPy: the background that is left is open to the border or touches several regions."""
    filled = Regions(fill_holes=True).cleaned(labels, True)
    changed = filled != labels
    assert not labels[changed].any()
    for mask in regions(filled):
        if filled[mask][0] == 0 and not (mask[[0, -1]].any() or mask[:, [0, -1]].any()):
            ring = ndimage.binary_dilation(mask) & ~mask
            assert sum((ring & other).any() for other in regions(filled)) > 1
    np.testing.assert_array_equal(Regions(fill_holes=True).cleaned(filled, True), filled)


@given(maps, st.integers(0, 9))
def test_both_together_leave_neither(labels: np.ndarray, least: int) -> None:
    both = Regions(least, fill_holes=True).cleaned(labels, True)
    np.testing.assert_array_equal(Regions(least).cleaned(both, True), both)
    np.testing.assert_array_equal(Regions(fill_holes=True).cleaned(both, True), both)


def test_a_part_of_the_image() -> None:
    labels = np.zeros((10, 20), np.uint8)
    labels[4, 4:7] = 1
    for share, left in (("1.5%", 3), ("1.6%", 0), ("0%", 3)):
        assert (Regions(share).cleaned(labels, False) == 1).sum() == left


def test_what_is_asked_as_json_has_it() -> None:
    assert Regions().describe() == {}
    assert Regions("0.5 %", connected=True).describe() == {"min_area": "0.5%", "connected": True}
    assert Regions("50") == Regions(50)


@pytest.mark.parametrize("area", ["", "-1", "5px", "101%", "1.5", -3, True, "%", 0.5])
def test_areas_that_are_none(area: object) -> None:
    with pytest.raises(FeedsegError, match="a number of pixels or a percentage"):
        Regions(area)  # pyright: ignore[reportArgumentType]
