"""Regions as polygons in pixel coordinates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from feedseg.io.objects import TracedObject, traced_objects
from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from feedseg.io.outlines import Outline
    from feedseg.labelmap import LabelMap

_BEGINNING = '{"type":"FeatureCollection","generator":"feedseg",'


class GeoJsonWriter(Writer):
    """A feature for each class, or for each region where they are objects of their own; none for the background.

    x goes right and y down, in pixels. Polygons follow the pixels' edges exactly and share them with their neighbours.
    """

    name = "geojson"
    suffix = ".geojson"
    description = "polygons with holes in pixel coordinates"

    def encode(self, result: LabelMap) -> bytes:
        """See `Writer.encode`."""
        colours = result.palette.tolist()
        features = []
        for one in traced_objects(result):
            properties = {
                "class": result.names[one.label],
                "index": one.label,
                "pixels": one.pixels,
                "colour": "#{:02x}{:02x}{:02x}".format(*colours[one.label]),
            }
            features.append({"type": "Feature", "properties": properties, "geometry": _geometry(one)})
        lines = ",\n".join(json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
        text = f'{_BEGINNING}"features":[\n' + lines + "\n]}\n"
        return text.encode(errors="backslashreplace")

    def recognises(self, path: Path) -> bool:
        """See `Writer.recognises`."""
        with path.open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING.encode()


def _geometry(one: TracedObject) -> dict[str, Any]:
    polygons = [_rings(outline) for outline in one.outlines]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _rings(outline: Outline) -> list[list[list[int]]]:
    return [[*(corners := ring.tolist()), corners[0]] for ring in outline.rings]


WRITER = GeoJsonWriter()
