"""Regions as GeoParquet in the raster's own coordinate system."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.io.geoparquet import Feature, write_features
from feedseg.io.palette import hexadecimal
from feedseg.io.raster.geojson import turn
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.polygons import Region
from feedseg.io.raster.source import Raster

SUFFIX = ".geo.parquet"


def write_geoparquet(target: Path, found: Iterable[Region], raster: Raster, legend: Legend) -> int:
    """Write a row for every region, and return how many there are.

    A raster that does not say where it is gives polygons in its pixels, x to the right and y down, without a
    coordinate system.
    """
    rows = (
        Feature(
            legend.names[region.label],
            region.label,
            region.pixels,
            hexadecimal(legend.colours[region.label].tolist()),
            [_placed(region.polygon, raster)],
        )
        for region in found
    )
    return write_features(target, rows, _system(raster) if raster.is_placed else None)


def _system(raster: Raster) -> dict[str, Any]:
    """The coordinate system as PROJJSON."""
    from rasterio.errors import CRSError

    try:
        return raster.dataset.crs.to_dict(projjson=True)
    except CRSError as error:
        raise FeedsegError(
            f"{raster.name}: its coordinate system cannot be written as GeoParquet wants it: leave out --format "
            "geoparquet, or give it another with gdalwarp -t_srs …"
        ) from error


def _placed(polygon: Any, raster: Raster) -> list[np.ndarray]:
    """The rings in the raster's coordinates, the exterior counter-clockwise and holes clockwise."""
    a, b, c, d, e, f = tuple(raster.dataset.transform)[:6] if raster.is_placed else (1, 0, 0, 0, 1, 0)
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        column, row = np.array(ring.coords).T
        rings.append(np.stack([a * column + b * row + c, d * column + e * row + f], axis=1))
    return [points if (turn(points) > 0) == (number == 0) else points[::-1] for number, points in enumerate(rings)]
