"""Masks: reading the numbers in them, and what those mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import LARGEST_VALUE, Benchmark
from feedseg.io.decoders import decoders

IGNORED = -1  # in a target: the pixel does not count
INDEXED = ("P", "L", "1", "I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes with one number a pixel


@dataclass(frozen=True)
class MaskValues:
    """What the values of a data set's masks mean."""

    labels: int  # how many there are, with the background
    zero_is_ignored: bool
    ignore_index: int | None

    @classmethod
    def of(cls, benchmark: Benchmark) -> MaskValues:
        """Those of a benchmark."""
        return cls(benchmark.labels, benchmark.zero_is_ignored, benchmark.ignore_index)

    @property
    def first(self) -> int:
        """The value of label 0."""
        return int(self.zero_is_ignored)

    @property
    def last(self) -> int:
        """The value of the last label."""
        return self.first + self.labels - 1

    def target(self, values: np.ndarray) -> np.ndarray:
        """Labels, int32, from a mask's values; IGNORED where they do not count. For values that are known."""
        target = values.astype(np.int32) - self.first
        target[(values < self.first) | (values > self.last)] = IGNORED
        return target

    def unknown(self, values: np.ndarray) -> list[int]:
        """The values that are neither of a label nor ignored, ascending."""
        found = np.flatnonzero(np.bincount(values.ravel(), minlength=1)).tolist()
        ignored = {self.ignore_index} | ({0} if self.zero_is_ignored else set())
        return [value for value in found if not self.first <= value <= self.last and value not in ignored]


def read_mask(path: Path) -> np.ndarray:
    """The numbers in an indexed, grey, 1-bit or 16-bit mask, (height, width), uint8 or uint16.

    Raises:
        FeedsegError: it is missing, unreadable, or holds colours or numbers that are no values of a mask.
    """
    with opened(path) as image:
        check_mode(path, image.mode)
        values = np.asarray(image)
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.itemsize > 2:
        if values.min() < 0 or values.max() > LARGEST_VALUE:
            raise FeedsegError(f"{path} holds numbers outside 0 to {LARGEST_VALUE}, which no mask does")
        return values.astype(np.uint16)
    return values.astype(values.dtype.newbyteorder("="))


def check_mode(path: Path, mode: str) -> None:
    """Complain about a mask that does not hold one number a pixel, by Pillow's name for what it holds."""
    if mode not in INDEXED:
        raise FeedsegError(
            f"{path} holds colours ({mode}) instead of a class number a pixel: masks are indexed or grey images"
        )


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An open image; whatever Pillow raises inside becomes a FeedsegError that names the file."""
    try:
        with Image.open(path, formats=decoders(path.suffix)) as image:
            yield image
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} is missing") from error
    except UnidentifiedImageError as error:
        raise FeedsegError(f"{path} is not an image in a known format") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise FeedsegError(f"{path} cannot be read: {error}") from error


def wrong_values(wrong: Sequence[int], values: MaskValues) -> str:
    """What to tell of a mask with values that mean nothing."""
    several = f"the value {wrong[0]}" if len(wrong) == 1 else f"the values {', '.join(map(str, wrong[:5]))}"
    several += ", …" if len(wrong) > 5 else ""
    ignored = [] if values.ignore_index is None else [str(values.ignore_index)]
    ignored += ["0"] if values.zero_is_ignored else []
    beside = f"; {' and '.join(ignored)} would not count" if ignored else ""
    advice = "" if values.ignore_index is not None else "; for pixels that do not count give ignore_index"
    return f"holds {several}, but classes have {values.first} to {values.last}{beside}{advice}"


def different_sizes(image: Path, mask: Path, size: Sequence[int], other: Sequence[int]) -> str:
    """What to tell of an image and a mask that do not fit: sizes are height and width."""
    text = f"{image} has {size[1]} × {size[0]} pixels, its mask {mask} {other[1]} × {other[0]}"
    if tuple(size) == tuple(reversed(other)):
        text += "; one of the two is turned: photographs are read as stored, whatever their EXIF orientation says"
    return text
