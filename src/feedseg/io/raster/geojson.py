"""Regions as GeoJSON in degrees of longitude and latitude (WGS 84), as RFC 7946 wants it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.io.palette import hexadecimal
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.polygons import Region
from feedseg.io.raster.source import Raster

SUFFIX = ".geojson"
DIGITS = 8  # of degrees: a millimetre
# Pixels from one corner to the next at most: what is straight in the raster's coordinates is none in degrees, and the
# line between two corners would leave the pixels' edge.
LONGEST = 256


def check_place(raster: Raster) -> None:
    """Raises FeedsegError where nobody knows where on Earth the raster is."""
    if not raster.is_placed:
        raise FeedsegError(
            f"{raster.name} does not say where on Earth it is, in a coordinate system and a transform, and GeoJSON "
            "is in degrees: leave out --format geojson, or give it both with gdal_translate -a_srs … -a_ullr …"
        )


def write_geojson(target: Path, found: Iterable[Region], raster: Raster, legend: Legend) -> int:
    """Write a feature for every region, one a line, and return how many there are."""
    count = 0
    with target.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write('{"type":"FeatureCollection","generator":"feedseg","features":[')
        for region in found:
            properties = {
                "class": legend.names[region.label],
                "index": region.label,
                "pixels": region.pixels,
                "colour": hexadecimal(legend.colours[region.label].tolist()),
            }
            geometry = {"type": "Polygon", "coordinates": _placed(region.polygon, raster)}
            feature = {"type": "Feature", "properties": properties, "geometry": geometry}
            file.write(",\n" if count else "\n")
            file.write(json.dumps(feature, ensure_ascii=False, separators=(",", ":")))
            count += 1
        file.write("\n]}\n")
    return count


def _placed(polygon: Any, raster: Raster) -> list[list[list[float]]]:
    """The rings in degrees, the exterior counter-clockwise and holes clockwise."""
    from rasterio.warp import transform

    a, b, c, d, e, f = tuple(raster.dataset.transform)[:6]
    rings = []
    for number, ring in enumerate((polygon.exterior, *polygon.interiors)):
        column, row = divided(np.array(ring.coords)).T
        x, y = a * column + b * row + c, d * column + e * row + f
        longitude, latitude, *_ = transform(raster.dataset.crs, "EPSG:4326", x.tolist(), y.tolist())
        points = np.round(np.stack([longitude, latitude], axis=1), DIGITS)
        if not np.isfinite(points).all():
            raise FeedsegError(f"{raster.name} reaches beyond where its coordinate system holds: cut it first")
        turning = turn(points)
        rings.append((points if (turning > 0) == (number == 0) else points[::-1]).tolist())
    return rings


def divided(points: np.ndarray) -> np.ndarray:
    """A closed ring of pixels' corners, with more of them on long edges: at the same places from both sides."""
    parts = []
    for one, other in pairwise(points):
        low, high = (one, other) if tuple(one) < tuple(other) else (other, one)
        length = np.abs(high - low).max()
        steps = np.arange(0, length, LONGEST)[:, None] * np.sign(high - low) + low
        parts.append(steps if low is one else np.concatenate([one[None], steps[:0:-1]]))
    return np.concatenate([*parts, points[:1]])


def turn(points: np.ndarray) -> float:
    """Above 0 where a closed ring goes counter-clockwise; from its middle, as the area is small against degrees."""
    x, y = (points - points.mean(axis=0)).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
