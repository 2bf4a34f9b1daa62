"""The labels as a PNG, one class index per pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from feedseg.io.writers.base import Writer, png

if TYPE_CHECKING:
    from feedseg.labelmap import LabelMap


class LabelsWriter(Writer):
    """An indexed PNG with the overlay's colours as palette, the index being the class.

    With more than 256 classes, which a palette cannot have, a 16-bit grey one.
    """

    name = "labels"
    suffix = ".labels.png"
    description = "the class of every pixel: an indexed PNG with a palette"

    def encode(self, result: LabelMap) -> bytes:
        """See `Writer.encode`."""
        index = Image.fromarray(result.labels)
        if result.labels.dtype == np.uint8:
            index.putpalette(result.palette.tobytes())
        return png(index)


WRITER = LabelsWriter()
