"""The overlay as a PNG, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedseg.io.writers.base import Writer, png

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation


class OverlayWriter(Writer):
    """The image under its classes' colours, with names and a legend: see `feedseg.io.overlay`."""

    name = "overlay"
    suffix = ".overlay.png"
    description = "the image in its classes' colours, with a legend"
    needs = frozenset({"image"})

    def encode(self, result: Segmentation) -> bytes:
        """See `Writer.encode`."""
        return png(result.overlay())


WRITER = OverlayWriter()
