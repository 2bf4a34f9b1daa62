"""What the numbers of a raster of labels mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_OF_EIGHT_BITS = 255  # classes; the last number is that of pixels without data


@dataclass(frozen=True, eq=False)
class Legend:
    """The classes, their colours, and the number of what has no data."""

    names: tuple[str, ...]
    colours: np.ndarray  # (classes, 3) uint8
    background: bool  # whether class 0 is what is none of the others

    @property
    def dtype(self) -> np.dtype:
        """See `label_dtype`."""
        return label_dtype(len(self.names))

    @property
    def nodata(self) -> int:
        """The number of pixels without data."""
        return nodata_of(self.dtype)


def label_dtype(classes: int) -> np.dtype:
    """The smallest type that holds so many classes and a number for what has no data."""
    return np.dtype(np.uint8 if classes <= MOST_OF_EIGHT_BITS else np.uint16)


def nodata_of(dtype: np.dtype) -> int:
    """The number of pixels without data: the largest that there is."""
    return int(np.iinfo(dtype).max)
