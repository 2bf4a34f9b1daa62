"""GeoParquet of rasters, as geopandas and shapely read it, against GDAL's own tracing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need feedseg[geo]")
geopandas = pytest.importorskip("geopandas")
shapely = pytest.importorskip("shapely")
pytest.importorskip("pyarrow")

from rasterio.features import shapes as shapes_of  # noqa: E402

from feedseg.io import geoparquet as module  # noqa: E402
from feedseg.io.raster import open_raster  # noqa: E402
from feedseg.io.raster.geoparquet import write_geoparquet  # noqa: E402
from feedseg.io.raster.legend import Legend  # noqa: E402
from feedseg.io.raster.polygons import regions  # noqa: E402
from tiny_rasters import write_raster  # noqa: E402

NAMES = ("none", "a", "é", "c")


@pytest.fixture
def labels() -> np.ndarray:
    found = np.kron(np.random.default_rng(2).integers(0, 4, (12, 17)), np.ones((5, 5))).astype(np.uint8)
    found[:20, :20] = 255
    return found


def read(labels: np.ndarray, folder: Path, **raster: Any) -> tuple[Any, int]:
    """What geopandas reads, and how many rows were written."""
    legend = Legend(NAMES, np.arange(12, dtype=np.uint8).reshape(4, 3) * 20, True)
    path = write_raster(folder / "a.tif", labels[None], **raster)
    with open_raster(path) as opened:
        count = write_geoparquet(folder / "a.geo.parquet", regions([labels], (0, 255)), opened, legend)
    return geopandas.read_parquet(folder / "a.geo.parquet"), count


@pytest.mark.parametrize("rotation", [0, 30])
@pytest.mark.parametrize("group", [7, module.GROUP])
def test_polygons_are_those_of_gdal_in_the_rasters_own_coordinates(
    labels: np.ndarray, rotation: float, group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP", group)
    cos, sin = 10 * np.cos(np.radians(rotation)), 10 * np.sin(np.radians(rotation))
    transform = rasterio.Affine(cos, sin, 500_000, sin, -cos, 5_300_000)
    found, count = read(labels, tmp_path, transform=transform)
    assert len(found) == count > 10
    assert found.crs == "EPSG:32633"
    assert found.is_valid.all()
    shapes = shapes_of(labels, mask=(labels > 0) & (labels < 4), connectivity=4, transform=transform)
    expected = [(NAMES[int(value)], shapely.geometry.shape(geometry).normalize()) for geometry, value in shapes]
    assert count == len(expected)
    tree = shapely.STRtree([shape for _, shape in expected])
    for _, row in found.iterrows():
        name, shape = expected[tree.nearest(row.geometry.representative_point())]
        assert row["class"] == name
        assert row.geometry.symmetric_difference(shape).area < 1e-3  # square metres, of pixels of 100
        assert row["pixels"] == pytest.approx(row.geometry.area / 100)
        assert row["colour"] == "#{:02x}{:02x}{:02x}".format(*(20 * (3 * row["index"] + k) for k in range(3)))
        assert row.geometry.exterior.is_ccw
        assert not any(hole.is_ccw for hole in row.geometry.interiors)


def test_a_raster_without_a_place_has_its_pixels_and_no_coordinate_system(labels: np.ndarray, tmp_path: Path) -> None:
    found, _ = read(labels, tmp_path, crs=None, transform=None)
    assert found.crs is None
    assert tuple(found.total_bounds) == (0, 0, 85, 60)
    assert (found.area == found["pixels"]).all()


def test_the_same_labels_give_the_same_bytes(labels: np.ndarray, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        read(labels, tmp_path / name)
    assert (tmp_path / "one/a.geo.parquet").read_bytes() == (tmp_path / "two/a.geo.parquet").read_bytes()


def test_nothing_but_background_is_a_table_without_rows(tmp_path: Path) -> None:
    found, count = read(np.zeros((20, 30), np.uint8), tmp_path)
    assert (len(found), count) == (0, 0)
    assert found.crs == "EPSG:32633"
