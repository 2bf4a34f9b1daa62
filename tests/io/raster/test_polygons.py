"""Polygons from strips of rows are those that GDAL traces in the whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedseg.io.raster import open_raster, polygons
from feedseg.io.raster.geojson import LONGEST, divided, write_geojson
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.polygons import Region, regions
from tiny_rasters import write_raster

rasterio = pytest.importorskip("rasterio")
pytest.importorskip("rasterio.features")
shapely = pytest.importorskip("shapely")


def spirals() -> np.ndarray:
    """Two classes that wind around each other, through many strips."""
    y, x = np.indices((61, 61)) - 30
    turn = np.arctan2(y, x) + np.hypot(x, y) / 3
    return (np.sin(turn) > 0).astype(np.uint8)


MAPS = {
    "noise": np.random.default_rng(1).integers(0, 3, (37, 41), np.uint8),
    "blocks": np.kron(np.random.default_rng(2).integers(0, 4, (9, 8), np.uint8), np.ones((7, 6), np.uint8)),
    "spirals": spirals(),
    "one": np.zeros((20, 30), np.uint8),
    "diagonal": np.eye(16, dtype=np.uint8),
}


def traced(labels: np.ndarray) -> list[tuple[int, Any]]:
    from rasterio.features import shapes

    return [(int(value), shapely.geometry.shape(geometry)) for geometry, value in shapes(labels, connectivity=4)]


def ordered(found: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    return sorted(found, key=lambda one: (one[0], one[1].bounds, one[1].area, one[1].length))


@pytest.mark.parametrize("height", [1, 3, 8, 100])
@pytest.mark.parametrize("name", MAPS)
def test_regions_are_those_of_the_whole(name: str, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = MAPS[name]
    monkeypatch.setattr(polygons, "PIXELS", height * labels.shape[1])
    bands = [labels[start : start + 2] for start in range(0, len(labels), 2)] if height % 2 == 0 else [*labels[:, None]]
    found: list[Region] = list(regions(bands, leave_out=()))
    expected = ordered(traced(labels))
    for (label, shape), (value, other) in zip(
        ordered([(one.label, one.polygon) for one in found]), expected, strict=True
    ):
        assert label == value
        assert shape.is_valid
        assert shape.equals(other)
    assert all(one.pixels == one.polygon.area for one in found)
    assert sum(one.pixels for one in found) == labels.size
    points = sum(shapely.get_num_coordinates(one.polygon) for one in found)
    assert points == sum(shapely.get_num_coordinates(shape) for _, shape in expected)  # none where it goes straight on


def test_what_is_left_out_has_no_region() -> None:
    labels = MAPS["blocks"]
    found = Counter(one.label for one in regions([labels], leave_out=(0, 2)))
    assert {*found} == {1, 3}


def test_long_edges_are_divided_at_the_same_places_from_both_sides() -> None:
    ring = np.array([[0, 0], [1000, 0], [1000, 300], [0, 300], [0, 0]], float)
    there, back = divided(ring), divided(ring[::-1])
    assert {tuple(point) for point in there} == {tuple(point) for point in back}
    assert np.abs(np.diff(there, axis=0)).max() <= LONGEST
    np.testing.assert_array_equal(there[:2], [[0, 0], [256, 0]])
    np.testing.assert_array_equal(there[[0, -1]], [[0, 0], [0, 0]])


@pytest.mark.parametrize("rotation", [0, 30])
def test_geojson_lies_where_the_raster_does(tmp_path: Path, rotation: float) -> None:
    geopandas = pytest.importorskip("geopandas")
    labels = MAPS["blocks"].copy()
    labels[:20, :20] = 255
    cos, sin = 10 * np.cos(np.radians(rotation)), 10 * np.sin(np.radians(rotation))
    transform = rasterio.Affine(cos, sin, 500_000, sin, -cos, 5_300_000)
    path = write_raster(tmp_path / "a.tif", labels[None], transform=transform)
    legend = Legend(("none", "a", "é", "c"), np.arange(12, dtype=np.uint8).reshape(4, 3) * 20, True)
    with open_raster(path) as raster:
        count = write_geojson(tmp_path / "a.geojson", regions([labels], (0, 255)), raster, legend)
    read = geopandas.read_file(tmp_path / "a.geojson")
    assert len(read) == count
    assert read.crs == "EPSG:4326"
    assert read.is_valid.all()
    back = read.to_crs("EPSG:32633")
    shapes = rasterio.features.shapes(labels, mask=labels < 4, connectivity=4, transform=transform)
    expected = [(int(value), shapely.geometry.shape(geometry)) for geometry, value in shapes]
    for label, name in enumerate(legend.names[1:], 1):
        found = back[back["class"] == name]
        wanted = shapely.union_all([shape for value, shape in expected if value == label])
        assert found.union_all().symmetric_difference(wanted).area < 1  # square metres, of pixels of 100
        assert found.pixels.sum() == (labels == label).sum()
    for feature in json.loads((tmp_path / "a.geojson").read_text("utf-8"))["features"]:
        exterior, *holes = feature["geometry"]["coordinates"]
        assert shapely.LinearRing(exterior).is_ccw
        assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
