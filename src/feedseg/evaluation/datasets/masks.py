"""Masks: reading the numbers in them, and what those mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from feedseg.errors import FeedsegError, first_line
from feedseg.evaluation.datasets.benchmarks import LARGEST_VALUE, Benchmark
from feedseg.evaluation.datasets.stored import fault_of_mask, stored_numbers
from feedseg.io.decoders import check_regular, decoders

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


def read_mask(path: Path) -> np.ndarray:
    """The numbers that a mask's file holds, (height, width), uint8 or uint16; see `stored_numbers`.

    Raises:
        NoMaskError: it is stored with loss, or holds colours, fractions, several pages, or numbers of no mask.
        FeedsegError: it is missing or unreadable.
    """
    with opened(path) as image:
        check_stored(path, image)
        values = stored_numbers(image)
    if values.dtype.itemsize > 2:
        if values.min() < 0 or values.max() > LARGEST_VALUE:
            raise NoMaskError(f"{path} holds numbers outside 0 to {LARGEST_VALUE}, which no mask does")
        return values.astype(np.uint16)
    return values.astype(values.dtype.newbyteorder("="))


def check_stored(path: Path, image: Image.Image) -> None:
    """Complain about an open file that can be no mask, before it is loaded."""
    if fault := fault_of_mask(image):
        raise NoMaskError(f"{path} {fault}")


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An open image; whatever Pillow raises inside becomes a FeedsegError that names the file."""
    try:
        check_regular(path)
        # Not by its name: Pillow would map the file, and then mixes up rows and columns of a TIFF that is turned.
        with path.open("rb") as file, Image.open(file, formats=decoders(path.suffix)) as image:
            yield image
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} is missing") from error
    except UnidentifiedImageError as error:
        raise FeedsegError(f"{path} is not an image in a known format") from error
    except (FeedsegError, MemoryError):
        raise
    except Exception as error:  # decoders are many, and so is what they raise of damaged files
        raise FeedsegError(f"{path} cannot be read: {first_line(error)}") from error


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
