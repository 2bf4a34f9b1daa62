"""One binary PNG for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from feedseg.io.writers.base import png
from feedseg.io.writers.classes import ClassFiles

if TYPE_CHECKING:
    from feedseg.labelmap import LabelMap


class MasksWriter(ClassFiles):
    """Grey PNGs of 255 where the class is and 0 elsewhere, the background's too; none of classes without pixels."""

    name = "masks"
    suffix = ".mask.png"
    description = "a black and white PNG for each class"

    def encode_class(self, result: LabelMap, index: int) -> bytes:
        """See `ClassFiles.encode_class`."""
        return png(Image.fromarray((result.labels == index).astype("uint8") * 255))


WRITER = MasksWriter()
