"""Regions as GeoParquet in the raster's own coordinate system, with corners where its pixels have them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from feedseg.io.geoparquet import SUFFIX, Placed
from feedseg.io.geoparquet import write_geoparquet as write_polygons
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.polygons import Region
from feedseg.io.raster.source import Raster

__all__ = ["SUFFIX", "write_geoparquet"]


def write_geoparquet(target: Path, found: Iterable[Region], raster: Raster, legend: Legend) -> int:
    """Write a row for every region and return how many there are; a raster without a system has none in the file."""
    from shapely.affinity import affine_transform

    a, b, c, d, e, f = tuple(raster.dataset.transform)[:6]
    placed = (Placed(one.label, one.pixels, affine_transform(one.polygon, [a, b, d, e, c, f])) for one in found)
    crs = raster.dataset.crs
    return write_polygons(target, placed, legend.names, legend.colours, crs.to_dict(projjson=True) if crs else None)
