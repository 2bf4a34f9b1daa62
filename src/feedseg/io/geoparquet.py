"""Polygons of classes as GeoParquet 1.1: a row for each, in a coordinate system or in pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from feedseg.io.palette import hexadecimal

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

SUFFIX = ".geo.parquet"  # not .parquet alone: an image that is called "results" has that name
MAKER = b"feedseg"  # as the metadata have it
GROUP = 4096  # polygons that are held at a time


@dataclass(frozen=True, eq=False)
class Placed:
    """A polygon or several, shapely's, of one class."""

    label: int
    pixels: int
    geometry: Any


def write_geoparquet(
    target: Path | IO[bytes],
    found: Iterable[Placed],
    names: Sequence[str],
    colours: np.ndarray,
    crs: Mapping[str, Any] | None,
) -> int:
    """Write a row for every polygon and return how many there are; the same bytes for the same polygons.

    Args:
        target: where to.
        found: the polygons; exteriors are turned counter-clockwise, as the metadata say.
        names: of the classes.
        colours: (classes, 3) uint8.
        crs: the coordinate system as PROJJSON; None where nobody knows it, as in pixels.

    Source: the GeoParquet specification, 1.1.0.
    """
    import pyarrow as pa
    from pyarrow import parquet

    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon", "MultiPolygon"],
        "crs": crs,
        "orientation": "counterclockwise",
        "edges": "planar",
    }
    about = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    kinds = {"class": pa.string(), "index": pa.int64(), "pixels": pa.int64(), "colour": pa.string()}
    metadata = {"geo": json.dumps(about, ensure_ascii=False), "made by": MAKER.decode()}
    schema = pa.schema(kinds | {"geometry": pa.binary()}, metadata=metadata)
    count = 0
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in _groups(found):
            writer.write_table(pa.Table.from_pylist(_rows(group, names, colours.tolist()), schema))
            count += len(group)
    return count


def _groups(found: Iterable[Placed]) -> Iterator[list[Placed]]:
    left = iter(found)
    while group := list(islice(left, GROUP)):
        yield group


def _rows(group: Sequence[Placed], names: Sequence[str], colours: list[list[int]]) -> list[dict[str, Any]]:
    return [
        {
            "class": names[one.label].encode(errors="backslashreplace").decode(),  # Parquet has UTF-8 alone
            "index": one.label,
            "pixels": one.pixels,
            "colour": hexadecimal(colours[one.label]),
            "geometry": _turned(one.geometry).wkb,
        }
        for one in group
    ]


def _turned(geometry: Any) -> Any:
    """The same with every exterior counter-clockwise and every hole clockwise."""
    from shapely.geometry import MultiPolygon
    from shapely.geometry.polygon import orient

    if geometry.geom_type == "MultiPolygon":
        return MultiPolygon([orient(one) for one in geometry.geoms])
    return orient(geometry)
