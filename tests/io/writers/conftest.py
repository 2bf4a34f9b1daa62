from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feedseg.segmentation import Segmentation

NAMES = ("background", "cat", "grass", "Zebra")


@pytest.fixture
def segmented() -> Callable[..., Segmentation]:
    """Makes results of three by five pixels: eight of background, four of cat, three of grass, none of the others."""

    def make(classes: int = len(NAMES), **changes: Any) -> Segmentation:
        names = (*NAMES, *(f"class {index}" for index in range(len(NAMES), classes)))
        fields = {
            "labels": np.array([[0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 2, 2, 2]]),
            "confidence": np.linspace(0, 1, 15).reshape(3, 5),
            "names": names,
            "image": np.arange(45, dtype=np.uint8).reshape(3, 5, 3),
            "background": True,
        }
        return Segmentation(**(fields | changes))

    return make
