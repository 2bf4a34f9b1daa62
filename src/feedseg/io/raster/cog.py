"""Labels as a cloud-optimised GeoTIFF: blocks, overviews, colour table, names of the classes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from feedseg.io.raster.gdal import told
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.source import Raster

SUFFIX = ".labels.tif"
NAMES_SUFFIX = SUFFIX + ".aux.xml"  # where GDAL keeps the names of categories
BLOCK = 512


def write_cog(
    rasterio: Any, target: Path, bands: Iterable[np.ndarray], raster: Raster, legend: Legend, workshop: Path
) -> None:
    """Write labels, which come in bands of rows from the top down, on the grid of the raster that they are of.

    GDAL makes overviews of a file that is complete, and files of its own meanwhile: in the workshop, where nobody minds
    what is left of a process that is killed.

    Args:
        rasterio: the module, inside of `environment`.
        target: is made, or replaced.
        bands: (rows, width) each.
        raster: whose coordinate system and transform they get.
        legend: of the labels.
        workshop: a folder on the target's disk.

    Raises:
        FeedsegError: a file cannot be written.
    """
    height, width = raster.size
    profile = {"height": height, "width": width, "count": 1, "dtype": legend.dtype.name, "nodata": legend.nodata}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "bigtiff": "if_safer"}
    if raster.is_placed:
        profile |= {"crs": raster.dataset.crs, "transform": raster.dataset.transform}
    plain, finished = workshop / "plain.tif", workshop / "finished.tif"
    for left in (plain, finished):  # by a run that was ended: GDAL reads a half file before it replaces it, and fails
        left.unlink(missing_ok=True)
    with told(f"cannot write {target}", "see how much room there is"):
        with rasterio.open(plain, "w", driver="GTiff", **profile) as file:
            start = 0
            for labels in bands:
                file.write(labels, 1, window=((start, start + len(labels)), (0, width)))
                start += len(labels)
            file.write_colormap(1, _colormap(legend))
            file.update_tags(CLASSES=json.dumps(legend.names, ensure_ascii=False))
        options = {"compress": "deflate", "blocksize": BLOCK, "overview_resampling": "mode", "bigtiff": "if_safer"}
        rasterio.shutil.copy(plain, finished, driver="COG", **options)
        finished.replace(target)
        plain.unlink()


def names_file(legend: Legend) -> str:
    """What says the classes' names to programs that read rasters with GDAL, as XML."""
    names = "".join(f"      <Category>{escape(name)}</Category>\n" for name in legend.names)
    return (
        '<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>\n'
        f"{names}    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n"
    )


def _colormap(legend: Legend) -> dict[int, tuple[int, int, int, int]]:
    colours = {index: (red, green, blue, 255) for index, (red, green, blue) in enumerate(legend.colours.tolist())}
    return {**colours, legend.nodata: (0, 0, 0, 0)}
