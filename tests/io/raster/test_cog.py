"""Labels as GeoTIFFs: types, colours, what becomes of a full disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.raster import open_raster
from feedseg.io.raster.cog import write_cog
from feedseg.io.raster.gdal import load_rasterio
from feedseg.io.raster.legend import Legend
from tiny_rasters import patches, write_raster

rasterio = pytest.importorskip("rasterio")


def legend(classes: int) -> Legend:
    colours = np.arange(classes * 3).reshape(classes, 3) % 251
    return Legend(tuple(f"class {number}" for number in range(classes)), colours.astype(np.uint8), False)


@pytest.mark.parametrize(
    ("classes", "dtype", "nodata"), [(2, "uint8", 255), (255, "uint8", 255), (256, "uint16", 65535)]
)
def test_types_hold_all_classes_and_no_data(tmp_path: Path, classes: int, dtype: str, nodata: int) -> None:
    of = legend(classes)
    labels = np.random.default_rng(0).integers(0, classes, (600, 700)).astype(of.dtype)
    labels[:300, :350] = nodata
    labels[-1, -1] = classes - 1
    with open_raster(write_raster(tmp_path / "a.tif", patches((700, 600)))) as raster:
        write_cog(load_rasterio(), tmp_path / "out.tif", [labels[:17], labels[17:]], raster, of, tmp_path)
    with rasterio.open(tmp_path / "out.tif") as found:
        np.testing.assert_array_equal(found.read(1), labels)
        assert (found.dtypes[0], found.nodata) == (dtype, nodata)
        assert found.colormap(1)[classes - 1] == (*of.colours[-1].tolist(), 255)
        assert found.profile["tiled"]
        assert found.overviews(1) == [2]
    with rasterio.open(tmp_path / "out.tif", overview_level=0) as overview:
        small = overview.read(1)
    assert (small[:150, :175] == nodata).all()
    quarters = np.stack(
        [labels[300::2, 350::2], labels[301::2, 350::2], labels[300::2, 351::2], labels[301::2, 351::2]]
    )
    assert (quarters == small[150:, 175:]).any(axis=0).all()  # none is a mean of classes
    alike = (quarters[0] == quarters[1]) & (quarters[2] == quarters[3]) & (quarters[0] == quarters[2])
    np.testing.assert_array_equal(small[150:, 175:][alike], quarters[0][alike])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "out.tif"]


def test_a_full_disk_is_said(tmp_path: Path, file_size_limit: Callable[[int], None]) -> None:
    labels = np.random.default_rng(0).integers(0, 255, (600, 700)).astype(np.uint8)
    path = write_raster(tmp_path / "a.tif", patches((700, 600)))
    file_size_limit(100_000)
    with (
        open_raster(path) as raster,
        pytest.raises(FeedsegError, match=r"cannot write .+out.tif: .+; see how much room there is"),
    ):
        write_cog(load_rasterio(), tmp_path / "out.tif", [labels], raster, legend(255), tmp_path)
    assert not (tmp_path / "out.tif").exists()
