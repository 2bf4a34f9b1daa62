"""As GeoPandas reads it, the table has the polygons of GeoJSON."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from shapely.geometry import shape

from feedseg.errors import FeedsegError
from feedseg.io import packages
from feedseg.io.output import Output
from feedseg.io.writers.geojson import WRITER as GEOJSON
from feedseg.io.writers.geoparquet import WRITER
from feedseg.labelmap import LabelMap

geopandas = pytest.importorskip("geopandas")


def mapped(labels: np.ndarray, connected: bool = False) -> LabelMap:
    return LabelMap(labels=labels, names=("none", "cat", "dog"), background=True).with_regions(connected=connected)


@pytest.mark.parametrize("connected", [False, True])
def test_it_holds_what_geojson_does(connected: bool) -> None:
    result = mapped(np.random.default_rng(0).integers(0, 3, (23, 17), np.uint8), connected)
    read = geopandas.read_parquet(BytesIO(WRITER.encode(result)))
    features = json.loads(GEOJSON.encode(result))["features"]
    assert read.crs is None
    assert read[["class", "index", "pixels", "colour"]].to_dict("records") == [one["properties"] for one in features]
    for found, feature in zip(read.geometry, features, strict=True):
        assert found.equals(shape(feature["geometry"]))
        assert found.is_valid
        assert all(one.exterior.is_ccw for one in getattr(found, "geoms", [found]))


def test_its_metadata_are_those_of_the_specification() -> None:
    result = mapped(np.array([[1, 0, 2], [1, 1, 2]], np.uint8))
    schema = pyarrow.parquet.read_schema(BytesIO(WRITER.encode(result)))
    about = json.loads(schema.metadata[b"geo"])
    assert (about["version"], about["primary_column"]) == ("1.1.0", "geometry")
    column = about["columns"]["geometry"]
    assert column == {
        "encoding": "WKB",
        "geometry_types": ["Polygon", "MultiPolygon"],
        "crs": None,
        "orientation": "counterclockwise",
        "edges": "planar",
    }


def test_an_image_of_background_alone_has_no_rows() -> None:
    read = geopandas.read_parquet(BytesIO(WRITER.encode(mapped(np.zeros((2, 2), np.uint8)))))
    assert len(read) == 0
    assert shapely.is_empty(read.union_all())


def test_the_same_result_has_the_same_bytes_and_only_ours_are_known(tmp_path: Path) -> None:
    result = mapped(np.eye(5, dtype=np.uint8))
    (tmp_path / "ours").write_bytes(WRITER.encode(result))
    assert WRITER.encode(result) == (tmp_path / "ours").read_bytes()
    assert WRITER.recognises(tmp_path / "ours")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "other")
    assert not WRITER.recognises(tmp_path / "other")


def test_a_missing_package_is_told_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(FeedsegError, match=r"'geoparquet' needs pyarrow and shapely: pip install 'feedseg\[formats\]'"):
        Output.of(["geoparquet"])
