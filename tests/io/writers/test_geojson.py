import json
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from shapely.geometry import shape

from feedseg.io.writers.geojson import WRITER
from feedseg.labelmap import LabelMap
from feedseg.segmentation import Segmentation


def mapped(labels: np.ndarray, background: bool = False, connected: bool = False) -> LabelMap:
    plain = LabelMap(labels=labels, names=("sky", "cat", "dog"), background=background)
    return plain.with_regions(connected=connected)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=10), elements=st.integers(0, 2)), st.booleans())
def test_polygons_are_valid_and_part_the_image(labels: np.ndarray, connected: bool) -> None:
    """As shapely reads them: areas are the pixels' numbers, and all together are the image."""
    result = mapped(labels, connected=connected)
    features = json.loads(WRITER.encode(result))["features"]
    shapes = [shape(feature["geometry"]) for feature in features]
    areas = dict.fromkeys(result.names, 0.0)
    for feature, polygon in zip(features, shapes, strict=True):
        assert polygon.is_valid, shapely.is_valid_reason(polygon)
        assert polygon.area == feature["properties"]["pixels"]
        areas[feature["properties"]["class"]] += polygon.area
        assert not connected or polygon.geom_type == "Polygon"
    assert areas == result.pixels
    height, width = labels.shape
    assert shapely.union_all(shapes).equals(shapely.box(0, 0, width, height))
    assert sum(polygon.area for polygon in shapes) == labels.size


def test_what_a_feature_says(segmented: Callable[..., Segmentation]) -> None:
    cat, grass = json.loads(WRITER.encode(segmented()))["features"]  # the background has none
    assert cat["properties"] == {"class": "cat", "index": 1, "pixels": 4, "colour": "#ff004b"}
    assert cat["geometry"] == {"type": "Polygon", "coordinates": [[[2, 0], [4, 0], [4, 2], [2, 2], [2, 0]]]}
    assert grass["geometry"]["coordinates"] == [[[2, 2], [5, 2], [5, 3], [2, 3], [2, 2]]]


@pytest.mark.parametrize(("connected", "kinds"), [(False, ["MultiPolygon"]), (True, ["Polygon", "Polygon"])])
def test_regions_are_objects_where_they_are_asked_for(connected: bool, kinds: list[str]) -> None:
    result = mapped(np.array([[1, 0, 1]]), background=True, connected=connected)
    assert [one["geometry"]["type"] for one in json.loads(WRITER.encode(result))["features"]] == kinds


def test_an_image_of_background_alone_has_no_features() -> None:
    assert json.loads(WRITER.encode(mapped(np.zeros((2, 2), int), background=True)))["features"] == []
