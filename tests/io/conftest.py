from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feedseg.segmentation import Segmentation


@pytest.fixture
def scene() -> Callable[..., Segmentation]:
    """`scene(**changes)`: 30 by 40 pixels of background with a large dog and a small cat; nothing of bird."""

    def make(**changes: Any) -> Segmentation:
        labels = np.zeros((30, 40), np.uint8)
        labels[5:25, 10:30] = 1
        labels[2:4, 33:37] = 2
        fields: dict[str, Any] = {
            "labels": labels,
            "confidence": np.where(labels == 1, 0.75, 0.5),
            "names": ("background", "dog", "cat", "bird"),
            "image": np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8),
            "background": True,
        }
        return Segmentation(**(fields | changes))

    return make
