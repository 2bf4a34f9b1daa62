import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw

from feedseg.io.regions import class_areas, connected_regions, region_depths


@pytest.mark.parametrize("classes", [5, 300])
def test_class_areas(classes: int) -> None:
    labels = np.random.default_rng(0).integers(0, classes - 1, (37, 53)).astype(np.uint16)
    assert class_areas(labels, classes).tolist() == [int((labels == index).sum()) for index in range(classes)]


def flooded(labels: np.ndarray) -> np.ndarray:
    """Every pixel's region by Pillow's flood fill, named by its first pixel. For labels below 3."""
    image = Image.fromarray(labels.astype(np.int32))
    for y, x in np.ndindex(*labels.shape):
        if np.asarray(image)[y, x] < 3:
            ImageDraw.floodfill(image, (x, y), 3 + y * labels.shape[1] + x)
    return np.asarray(image) - 3


def winding(size: int) -> np.ndarray:
    """Two regions one pixel wide that wind through the map, the hardest to find in one piece."""
    labels = np.zeros((size, size), int)
    labels[::2] = labels[1::4, -1] = labels[3::4, 0] = 1
    return labels


def maps() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 3, shape) for shape in [(1, 1), (1, 9), (9, 1), (14, 11), (30, 30)]]
    blocks = [rng.integers(0, 3, (5, 4)).repeat(7, axis=0).repeat(6, axis=1), np.zeros((20, 33), int)]
    diamond = np.add.outer(np.abs(np.arange(-20, 21)), np.abs(np.arange(-25, 26))) < 20
    return [*noise, *blocks, diamond.astype(int), winding(25)]


@pytest.mark.parametrize("labels", maps(), ids=lambda m: f"{m.shape[0]}x{m.shape[1]}")
def test_regions_are_those_of_a_flood_fill_and_depths_nearly_the_distances(labels: np.ndarray) -> None:
    regions = connected_regions(labels)
    depths = region_depths(regions)
    expected = flooded(labels)
    np.testing.assert_array_equal(regions, expected)
    ringed = np.pad(expected, 1, constant_values=-1)
    for (y, x), depth in np.ndenumerate(depths):
        distance = np.linalg.norm(np.argwhere(ringed != expected[y, x]) - (y + 1, x + 1), axis=1).min()
        assert depth + 1 == pytest.approx(distance, rel=0.1, abs=1)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_a_map_without_pixels_has_no_regions(shape: tuple[int, int]) -> None:
    assert connected_regions(np.zeros(shape, int)).shape == shape


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)))
def test_regions_of_any_map(labels: np.ndarray) -> None:
    regions = connected_regions(labels)
    np.testing.assert_array_equal(regions, flooded(labels))
    depths = region_depths(regions)
    assert (depths >= 0).all()
    edge = np.pad(regions, 1, constant_values=-1)
    inner = np.all(
        [
            edge[1 + y : edge.shape[0] - 1 + y, 1 + x : edge.shape[1] - 1 + x] == regions
            for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))
        ],
        axis=0,
    )
    np.testing.assert_array_equal(depths > 0, inner)
