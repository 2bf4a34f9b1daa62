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
        """The smallest that holds the classes and `nodata`."""
        return np.dtype(np.uint8 if len(self.names) <= MOST_OF_EIGHT_BITS else np.uint16)

    @property
    def nodata(self) -> int:
        """The number of pixels without data."""
        return int(np.iinfo(self.dtype).max)
