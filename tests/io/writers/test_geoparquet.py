"""GeoParquet of images, as geopandas reads it, against what GeoJSON says."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
from shapely.geometry import shape

from feedseg import FeedsegError
from feedseg.io import geoparquet as module
from feedseg.io.writers.geojson import WRITER as GEOJSON
from feedseg.io.writers.geoparquet import WRITER
from feedseg.labelmap import LabelMap

geopandas = pytest.importorskip("geopandas")
LABELS = np.array([[1, 1, 1, 0, 2], [1, 0, 1, 0, 2], [1, 1, 1, 0, 0], [0, 0, 0, 2, 2]])


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("background", [False, True])
def test_its_rows_are_geojsons_features(connected: bool, background: bool) -> None:
    result = LabelMap(labels=LABELS, names=("sky", "cat", "é\udc80"), background=background)
    result = result.with_regions(connected=connected)
    found = geopandas.read_parquet(BytesIO(WRITER.encode(result)))
    features = json.loads(GEOJSON.encode(result))["features"]
    assert len(found) == len(features)
    assert found.crs is None
    for (_, row), feature in zip(found.iterrows(), features, strict=True):
        assert row.geometry.equals_exact(shape(feature["geometry"]))
        said = {name: row[name] for name in ("class", "index", "pixels", "colour")}
        name = feature["properties"]["class"].encode(errors="backslashreplace").decode()
        assert said == feature["properties"] | {"class": name}


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(FeedsegError, match=r"needs pyarrow: pip install 'feedseg\[geo\]'"):
        WRITER.encode(LabelMap(labels=LABELS, names=("sky", "cat", "dog")))
