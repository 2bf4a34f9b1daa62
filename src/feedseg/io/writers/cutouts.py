"""Every class cut out of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from feedseg.io.writers.base import png
from feedseg.io.writers.classes import ClassFiles

if TYPE_CHECKING:
    from feedseg.labelmap import LabelMap
    from feedseg.segmentation import Segmentation


class CutoutsWriter(ClassFiles):
    """RGBA PNGs of the image's size, transparent and black where the class is not; none of the background."""

    name = "cutouts"
    suffix = ".cutout.png"
    description = "each class cut out of the image, on transparent ground"
    needs = frozenset({"image"})

    def wants(self, result: LabelMap, index: int) -> bool:
        """See `ClassFiles.wants`."""
        return index > 0 or not result.background

    def encode_class(self, result: Segmentation, index: int) -> bytes:
        """See `ClassFiles.encode_class`."""
        inside = result.labels == index
        pixels = np.zeros((*inside.shape, 4), np.uint8)  # what is transparent shall not hide the rest of the photograph
        pixels[..., :3][inside] = result.image[inside]
        pixels[..., 3] = inside * np.uint8(255)
        return png(Image.fromarray(pixels))


WRITER = CutoutsWriter()
