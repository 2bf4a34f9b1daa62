"""Polygons, judged by shapely."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from feedseg.io.outlines import outlines
from feedseg.io.regions import connected_regions

maps = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2))


@given(maps)
def test_every_region_is_a_valid_polygon_over_exactly_its_pixels(labels: np.ndarray) -> None:
    regions = connected_regions(labels)
    found = dict(outlines(regions))
    assert list(found) == np.unique(regions).tolist()
    y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] + 0.5
    for region, outline in found.items():
        polygon = shapely.Polygon(outline.exterior, outline.holes)
        assert polygon.is_valid, shapely.is_valid_reason(polygon)
        np.testing.assert_array_equal(shapely.contains_xy(polygon, x, y), regions == region)
        assert polygon.area == (regions == region).sum()
        assert polygon.exterior.is_ccw
        assert not any(hole.is_ccw for hole in polygon.interiors)


@given(maps)
def test_corners_are_where_an_outline_turns(labels: np.ndarray) -> None:
    for _, outline in outlines(connected_regions(labels)):
        for ring in outline.rings:
            steps = np.diff(ring, axis=0, append=ring[:1])
            level = steps[:, 1] == 0
            assert ((steps != 0).sum(axis=1) == 1).all()
            assert (level != np.roll(level, 1)).all()


@given(maps)
def test_one_ring_covers_the_same(labels: np.ndarray) -> None:
    """The cuts have no width: even-odd filling of the one ring gives the region."""
    regions = connected_regions(labels)
    for region, outline in outlines(regions):
        x, y = outline.in_one().T
        x2, y2 = np.roll(x, -1), np.roll(y, -1)
        upright = x == x2
        assert (upright | (y == y2)).all()
        inside = np.zeros(labels.shape, int)
        for column, top, bottom in zip(x[upright], np.minimum(y, y2)[upright], np.maximum(y, y2)[upright], strict=True):
            inside[top:bottom, column:] += 1
        np.testing.assert_array_equal(inside % 2 == 1, regions == region)


def test_what_is_left_out_has_no_outline() -> None:
    regions = np.array([[-1, -1, 2], [3, -1, 2]])
    found = {region: outline.exterior.tolist() for region, outline in outlines(regions)}
    assert found == {2: [[2, 0], [3, 0], [3, 2], [2, 2]], 3: [[0, 1], [1, 1], [1, 2], [0, 2]]}
    assert list(outlines(np.full((2, 2), -1))) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1)])
def test_maps_of_one_region(shape: tuple[int, int]) -> None:
    ((_, outline),) = outlines(np.zeros(shape, int))
    height, width = shape
    assert outline.exterior.tolist() == [[0, 0], [width, 0], [width, height], [0, height]]
    assert outline.holes == ()
