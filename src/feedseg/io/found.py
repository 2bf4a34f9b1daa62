"""One class of a result: its pixels, how many they are, and the image cut to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError, checked_count
from feedseg.io.palette import Colour

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

Box = tuple[int, int, int, int]  # left, top, right, bottom, as Pillow has it


@dataclass(frozen=True, eq=False)
class FoundClass:
    """A class of one result. Where an array is expected, NumPy takes it for its mask."""

    name: str
    index: int  # its label
    pixels: int
    area_fraction: float  # of the image, 0 to 1
    colour: Colour
    result: Segmentation = field(repr=False)

    @classmethod
    def of(cls, result: Segmentation, name: str) -> FoundClass:
        """A class of a result by its name. Raises FeedsegError if there is no such class."""
        index = result.index(name)
        pixels = result.pixels[name]
        red, green, blue = result.palette[index].tolist()
        return cls(name, index, pixels, pixels / result.labels.size, (red, green, blue), result)

    @cached_property
    def mask(self) -> np.ndarray:
        """Its pixels, (height, width) bool."""
        return self.result.labels == self.index

    @cached_property
    def confidence(self) -> float | None:
        """The mean confidence of its pixels; None if it has none."""
        return float(self.result.confidence[self.mask].mean(dtype=np.float64)) if self.pixels else None

    @cached_property
    def box(self) -> Box | None:
        """The smallest box around its pixels; None if it has none."""
        if not self.pixels:
            return None
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    def crop(self, margin: int = 0, *, transparent: bool = False) -> Image.Image:
        """The image cut to the class.

        Args:
            margin: pixels around its box that stay too, as far as there are any.
            transparent: RGBA, where all that is not of the class is transparent, instead of RGB.

        Raises:
            FeedsegError: the class was not found in the image, or the margin is below 0.
        """
        if self.box is None:
            raise FeedsegError(f"there is no {self.name} in this image: ask {self.name!r} in result first")
        checked_count(margin, "a margin in pixels", least=0)
        (width, height), (left, top, right, bottom) = self.result.size, self.box
        rows = slice(max(top - margin, 0), min(bottom + margin, height))
        columns = slice(max(left - margin, 0), min(right + margin, width))
        cut = Image.fromarray(np.ascontiguousarray(self.result.image[rows, columns]))
        if transparent:
            cut.putalpha(Image.fromarray(self.mask[rows, columns].astype(np.uint8) * 255))
        return cut

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        mask = self.mask if dtype is None else self.mask.astype(dtype)
        return mask.copy() if copy and mask is self.mask else mask


def found_classes(result: Segmentation) -> list[FoundClass]:
    """The classes that occur in a result, the largest first; a background is none of them."""
    names = result.names[result.background :]
    found = [FoundClass.of(result, name) for name in names if result.pixels[name]]
    return sorted(found, key=lambda one: -one.pixels)
