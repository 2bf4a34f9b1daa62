"""Polygons as GeoParquet 1.1 (https://geoparquet.org), a group of rows at a time."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from feedseg.errors import FeedsegError

GROUP = 10_000  # rows that are held at a time
_POLYGON, _MULTIPOLYGON = 3, 6  # of WKB
Rings = Sequence[np.ndarray]  # the exterior, then the holes; corners (M, 2), the last as the first


@dataclass(frozen=True, eq=False)
class Feature:
    """A row: polygons, and what they are of. Several are one geometry."""

    name: str
    index: int
    pixels: int
    colour: str  # "#rrggbb"
    polygons: Sequence[Rings]


def check_installed() -> None:
    """Raises FeedsegError where pyarrow is missing, saying what to install."""
    if find_spec("pyarrow") is None:
        raise FeedsegError("the format 'geoparquet' needs pyarrow: pip install 'feedseg[geo]'")


def write_features(target: Path | BinaryIO, found: Iterable[Feature], crs: dict[str, Any] | None) -> int:
    """Write a row for every feature, and return how many there are; the same bytes for the same features.

    Args:
        target: a file's path, or a file.
        found: exteriors turn counter-clockwise by x and y as they are, holes clockwise.
        crs: the coordinate system as PROJJSON; None where there is none.
    """
    check_installed()
    import pyarrow as pa
    from pyarrow import parquet

    column = {"encoding": "WKB", "geometry_types": [], "crs": crs, "orientation": "counterclockwise"}
    about = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    schema = pa.schema(
        [
            ("class", pa.string()),
            ("index", pa.int32()),
            ("pixels", pa.int64()),
            ("colour", pa.string()),
            ("geometry", pa.binary()),
        ],
        metadata={"geo": json.dumps(about), "made by": "feedseg"},
    )
    count, left = 0, iter(found)
    with parquet.ParquetWriter(target, schema) as writer:
        while group := list(islice(left, GROUP)):
            rows = [
                {
                    "class": one.name.encode(errors="backslashreplace").decode(),
                    "index": one.index,
                    "pixels": one.pixels,
                    "colour": one.colour,
                    "geometry": wkb(one.polygons),
                }
                for one in group
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(group)
    return count


def wkb(polygons: Sequence[Rings]) -> bytes:
    """Polygons as well-known binary, little-endian; several are a multipolygon."""
    parts = [_polygon(rings) for rings in polygons]
    return parts[0] if len(parts) == 1 else struct.pack("<BII", 1, _MULTIPOLYGON, len(parts)) + b"".join(parts)


def _polygon(rings: Rings) -> bytes:
    parts = [struct.pack("<BII", 1, _POLYGON, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), np.ascontiguousarray(ring, "<f8").tobytes()]
    return b"".join(parts)
