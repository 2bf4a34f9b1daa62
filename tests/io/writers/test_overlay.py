from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

from feedseg.io.writers.overlay import WRITER
from feedseg.segmentation import Segmentation


def test_a_png_of_the_overlay(segmented: Callable[..., Segmentation]) -> None:
    result = segmented()
    with Image.open(BytesIO(WRITER.encode(result))) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), np.asarray(result.overlay()))
