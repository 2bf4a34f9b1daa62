"""Masks: reading the numbers in them, and what those mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import LARGEST_VALUE, Benchmark
from feedseg.evaluation.datasets.stored import fault_of_mask, stored_numbers
from feedseg.io.decoders import opened_image
from feedseg.io.reading import HERE, FileReader

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

IGNORED = -1  # in a target: the pixel does not count


@dataclass(frozen=True)
class MaskValues:
    """What the values of a data set's masks mean."""

    labels: int  # how many there are, with the background
    zero_is_ignored: bool
    ignore_index: int | None
    values: tuple[int, ...] | None = None  # of every label, where they are not one after the other

    @classmethod
    def of(cls, benchmark: Benchmark) -> MaskValues:
        """Those of a benchmark."""
        return cls(benchmark.labels, benchmark.zero_is_ignored, benchmark.ignore_index, benchmark.values)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The value of every label."""
        first = int(self.zero_is_ignored)
        return self.values or tuple(range(first, first + self.labels))

    @property
    def ignored(self) -> tuple[int, ...]:
        """The values that do not count."""
        return (*([] if self.ignore_index is None else [self.ignore_index]), *([0] if self.zero_is_ignored else []))

    def target(self, values: np.ndarray) -> np.ndarray:
        """Labels, int32, from a mask's values; IGNORED where they do not count. For values that are known."""
        table = np.full(LARGEST_VALUE + 1, IGNORED, np.int32)
        table[list(self.numbers)] = np.arange(self.labels)
        return table[values]

    def unknown(self, values: np.ndarray) -> list[int]:
        """The values that are neither of a label nor ignored, ascending."""
        found = np.flatnonzero(np.bincount(values.ravel(), minlength=1)).tolist()
        known = {*self.numbers, *self.ignored}
        return [value for value in found if value not in known]


class NoMaskError(FeedsegError):
    """A file that is sound and cannot be a mask: the numbers in it are not what somebody drew."""


def read_mask(path: Path, reader: FileReader = HERE) -> np.ndarray:
    """The numbers that a mask's file holds, (height, width), uint8 or uint16; see `stored_numbers`.

    Raises:
        NoMaskError: it is stored with loss, or holds colours, fractions, several pages, or numbers of no mask.
        FeedsegError: it is missing, unreadable or beyond the reader's limits.
    """
    facts, values = reader(decode_mask, path)
    if values is None:
        raise NoMaskError(f"{path} {facts['fault']}")
    return values


def decode_mask(file: BinaryIO, name: str, max_pixels: int) -> Answer:
    """The numbers of an open mask, or as `fault` why it can be none; see `feedseg.io.reading.FileReader`."""
    with opened_image(file, name, max_pixels) as image:
        if fault := fault_of_mask(image):
            return {"fault": fault}, None
        values = stored_numbers(image)
    if values.dtype.itemsize > 2:
        if values.min() < 0 or values.max() > LARGEST_VALUE:
            return {"fault": f"holds numbers outside 0 to {LARGEST_VALUE}, which no mask does"}, None
        values = values.astype(np.uint16)
    return {}, np.ascontiguousarray(values, values.dtype.newbyteorder("="))


def wrong_values(wrong: Sequence[int], values: MaskValues) -> str:
    """What to tell of a mask with values that mean nothing."""
    several = f"the value {wrong[0]}" if len(wrong) == 1 else f"the values {', '.join(map(str, wrong[:5]))}"
    several += ", …" if len(wrong) > 5 else ""
    numbers = values.numbers
    classes = ", ".join(map(str, numbers)) if values.values else f"{numbers[0]} to {numbers[-1]}"
    ignored = " and ".join(map(str, values.ignored))
    beside = f"; {ignored} would not count" if ignored else ""
    advice = "" if values.ignore_index is not None else "; for pixels that do not count give ignore_index"
    return f"holds {several}, but classes have {classes}{beside}{advice}"


def different_sizes(image: Path, mask: Path, size: Sequence[int], other: Sequence[int]) -> str:
    """What to tell of an image and a mask that do not fit: sizes are height and width."""
    text = f"{image} has {size[1]} × {size[0]} pixels, its mask {mask} {other[1]} × {other[0]}"
    if tuple(size) == tuple(reversed(other)):
        text += "; one of the two is turned: photographs are read as stored, whatever their EXIF orientation says"
    return text
