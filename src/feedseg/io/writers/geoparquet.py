"""Regions as polygons in pixel coordinates, as GeoParquet."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from feedseg.io.geoparquet import Feature, write_features
from feedseg.io.objects import traced_objects
from feedseg.io.palette import hexadecimal
from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from feedseg.io.outlines import Outline
    from feedseg.labelmap import LabelMap


class GeoParquetWriter(Writer):
    """A row for each class, or for each region where they are objects of their own; none for the background.

    x goes right and y down, in pixels, without a coordinate system; rasters have theirs, see `feedseg.engine.raster`.
    """

    name = "geoparquet"
    suffix = ".geo.parquet"
    description = "the polygons of geojson as GeoParquet; those of rasters in their own coordinates"

    def encode(self, result: LabelMap) -> bytes:
        """See `Writer.encode`."""
        colours, target = result.palette.tolist(), BytesIO()
        found = (
            Feature(
                result.names[one.label],
                one.label,
                one.pixels,
                hexadecimal(colours[one.label]),
                [_rings(outline) for outline in one.outlines],
            )
            for one in traced_objects(result)
        )
        write_features(target, found, None)
        return target.getvalue()


def _rings(outline: Outline) -> list[np.ndarray]:
    return [np.concatenate([ring, ring[:1]]) for ring in outline.rings]


WRITER = GeoParquetWriter()
