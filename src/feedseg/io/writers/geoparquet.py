"""Regions as polygons in a table, in pixel coordinates."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from feedseg.io.geoparquet import MAKER, SUFFIX, Placed, write_geoparquet
from feedseg.io.objects import TracedObject, traced_objects
from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from feedseg.labelmap import LabelMap

_END = 65_536  # bytes in which a file's metadata are


class GeoParquetWriter(Writer):
    """A row for each class, or for each region where they are objects of their own; none for the background.

    x goes right and y down, in pixels; there is no coordinate system. Rasters have theirs: `feedseg.io.raster`.
    """

    name = "geoparquet"
    suffix = SUFFIX
    description = "polygons as a table: GeoPandas, DuckDB, QGIS"
    packages = ("pyarrow", "shapely")

    def encode(self, result: LabelMap) -> bytes:
        """See `Writer.encode`."""
        found = (Placed(one.label, one.pixels, _geometry(one)) for one in traced_objects(result))
        buffer = BytesIO()
        write_geoparquet(buffer, found, result.names, result.palette, None)
        return buffer.getvalue()

    def recognises(self, path: Path) -> bool:
        """See `Writer.recognises`."""
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _END, 0))
            return MAKER in file.read(_END)


def _geometry(one: TracedObject) -> Any:
    from shapely.geometry import MultiPolygon, Polygon

    polygons = [Polygon(outline.exterior, outline.holes) for outline in one.outlines]
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


WRITER = GeoParquetWriter()
