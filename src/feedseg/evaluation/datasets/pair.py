"""An image and its mask, looked at: whether they fit, and which values the mask holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.masks import NoMaskError, decode_mask, different_sizes
from feedseg.evaluation.datasets.stored import orientation, stored_size
from feedseg.io.decoders import opened_image
from feedseg.io.reading import HERE, FileReader

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

UNREADABLE, SIZES, NO_MASK = (
    "unreadable",
    "sizes",
    "no mask",
)  # groups of faults; the last one says what was drawn is lost


@dataclass(frozen=True)
class Pair:
    """What was seen of an image and its mask."""

    mask: Path
    values: tuple[int, ...] = ()  # that occur, ascending; () where the mask cannot be read
    largest: int | None = None  # the value of the most pixels
    fault: str = ""  # in words
    group: str = ""  # of the fault
    is_turned: bool = False  # whether the image has an orientation of its own
    misplaced: tuple[tuple[int, int], ...] = ()  # values that have another one's colour in a fixed palette, and whose


def look(image: Path, mask: Path, palette: str | None = None, decode: bool = False, reader: FileReader = HERE) -> Pair:
    """Read an image's header and a mask.

    Args:
        image: of a sample.
        mask: its mask.
        palette: the fixed one of the data set, if it has one; see `Benchmark.palette`.
        decode: whether the image is decoded too.
        reader: reads both.
    """
    turned = False
    try:
        of_image, _ = reader(survey_image, image, decode=decode)
        turned = bool(of_image["turned"])
        of_mask, pixels = reader(survey_mask, mask)
        if pixels is None:
            raise NoMaskError(f"{mask} {of_mask['fault']}")
    except NoMaskError as error:
        return Pair(mask, fault=str(error), group=NO_MASK, is_turned=turned)
    except FeedsegError as error:
        return Pair(mask, fault=str(error), group=UNREADABLE, is_turned=turned)
    values = np.flatnonzero(pixels).tolist()
    size, stored, colours = of_image["size"], of_mask["size"], of_mask["colours"] if palette else None
    fault = "" if size == stored else different_sizes(image, mask, size, stored)
    misplaced = _misplaced(values, colours) if colours else ()
    return Pair(mask, tuple(values), int(pixels.argmax()), fault, SIZES if fault else "", turned, misplaced)


def survey_image(file: BinaryIO, name: str, max_pixels: int, decode: bool) -> Answer:
    """The size of an open image as stored, and whether it is turned; see `feedseg.io.reading.FileReader`."""
    with opened_image(file, name, max_pixels) as image:
        facts = {"size": list(stored_size(image)), "turned": orientation(image) != 1}
        if decode:
            image.load()
    return facts, None


def survey_mask(file: BinaryIO, name: str, max_pixels: int) -> Answer:
    """How many pixels of an open mask have each value, its size and its palette, or as `fault` why it can be none."""
    with opened_image(file, name, max_pixels) as image:
        facts = {"size": list(stored_size(image)), "colours": image.getpalette() if image.mode == "P" else None}
    file.seek(0)
    told, values = decode_mask(file, name, max_pixels)
    return facts | told, None if values is None else np.bincount(values.ravel())


@cache
def voc_colours() -> tuple[tuple[int, int, int], ...]:
    """The colour that PASCAL VOC's masks have for every value: three bits of it at a time make red, green and blue."""

    def channel(value: int, bit: int) -> int:
        return sum((value >> (3 * step + bit) & 1) << (7 - step) for step in range(8))

    return tuple((channel(value, 0), channel(value, 1), channel(value, 2)) for value in range(256))


def _misplaced(values: list[int], colours: list[int]) -> tuple[tuple[int, int], ...]:
    """Which values have the colour of another class of VOC; black, with which programs fill palettes, says nothing."""
    whose = {colour: value for value, colour in enumerate(voc_colours()[:21])}
    found = []
    for value in values:
        colour = tuple(colours[3 * value : 3 * value + 3])
        other = whose.get(colour) if len(colour) == 3 else None
        if other and other != value:
            found.append((value, other))
    return tuple(found)
