"""COCO's JSON with polygons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from feedseg.io.exports.coco import CocoExport
from feedseg.io.objects import traced_objects

if TYPE_CHECKING:
    from feedseg.io.results import SavedResult


class CocoPolygonsExport(CocoExport):
    """A polygon for each connected region; the format has no holes, so a cut without width leads to each of them."""

    name = "coco-polygons"
    file = "coco-polygons.json"
    description = "COCO JSON with polygons"
    packages = ()

    def objects(self, result: SavedResult) -> Iterator[tuple[int, int, tuple[int, int, int, int], Any]]:
        """See `CocoExport.objects`."""
        for one in traced_objects(result):
            polygons = [outline.in_one().ravel().tolist() for outline in one.outlines]
            yield one.label, one.pixels, one.box, polygons


EXPORT = CocoPolygonsExport()
