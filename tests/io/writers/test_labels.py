from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from feedseg.io.palette import class_colours
from feedseg.io.writers.labels import WRITER
from feedseg.segmentation import Segmentation


def test_an_indexed_png_in_the_overlays_colours(segmented: Callable[..., Segmentation]) -> None:
    result = segmented()
    with Image.open(BytesIO(WRITER.encode(result))) as image:
        assert (image.format, image.mode) == ("PNG", "P")
        np.testing.assert_array_equal(np.asarray(image), result.labels)
        np.testing.assert_array_equal(
            np.asarray(image.convert("RGB")), class_colours(result.names, True)[result.labels]
        )


@pytest.mark.parametrize(
    ("classes", "mode"), [(1, "P"), (2, "P"), (255, "P"), (256, "P"), (257, "I;16"), (300, "I;16"), (65536, "I;16")]
)
def test_every_number_of_classes_reads_back(segmented: Callable[..., Segmentation], classes: int, mode: str) -> None:
    names = tuple(map(str, range(classes)))
    labels = np.linspace(0, classes - 1, 15).astype(int).reshape(3, 5)
    with Image.open(BytesIO(WRITER.encode(segmented(labels=labels, names=names)))) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image), labels)


def test_the_result_stays_as_it_is(segmented: Callable[..., Segmentation]) -> None:
    result = segmented()
    before = result.labels.copy()
    assert WRITER.encode(result) == WRITER.encode(result)
    np.testing.assert_array_equal(result.labels, before)
