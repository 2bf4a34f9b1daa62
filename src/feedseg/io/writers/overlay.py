"""The overlay as a JPEG, to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from feedseg.io.overlay import drawn_size
from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

# Long sides in pixels, each with every quality of JPEG, best first, and what is left of quality in the smallest size;
# the first that is small enough is taken.
_SIZES, _QUALITIES, _LAST = (1600, 1000, 640), (92, 82, 72), (58, 45)
_TIMES = 2  # how many times the bytes of the image's own file it may have
_ALWAYS = 32 * 1024  # bytes that it may have beside the smallest of images


class OverlayWriter(Writer):
    """The image under its classes' colours, with names and a legend: see `feedseg.io.overlay`.

    It has at most twice the bytes of the image's file, though never needs fewer than 32 KiB: quality and then size go
    down until it has, to 640 pixels and 45. Without a file an image counts as a JPEG of quality 90.
    """

    name = "overlay"
    suffix = ".overlay.jpg"
    description = "the image in its classes' colours, with a legend"
    needs = frozenset({"image"})

    def encode(self, result: Segmentation) -> bytes:
        """See `Writer.encode`."""
        limit = max(_TIMES * _bytes_of(result), _ALWAYS)
        content = b""
        for content in _versions(result):
            if len(content) <= limit:
                break
        return content


def _bytes_of(result: Segmentation) -> int:
    """How many bytes the image has that was segmented."""
    if result.source is not None:
        with suppress(OSError, ValueError):  # no file, or no longer
            if size := Path(result.source).stat().st_size:
                return size
    return len(jpeg(result.image, 90))


def _versions(result: Segmentation) -> Iterator[bytes]:
    """The overlay in every size and quality."""
    sizes = {drawn_size(result.labels.shape, longest): longest for longest in _SIZES}  # most have fewer sizes
    for longest in sizes.values():
        drawn = result.overlay(longest=longest)
        qualities = _QUALITIES + _LAST * (longest == _SIZES[-1])
        yield from (jpeg(drawn, quality) for quality in qualities)


def jpeg(image: Image.Image | np.ndarray, quality: int) -> bytes:
    """A JPEG whose colours are as sharp as its light."""
    buffer = BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


WRITER = OverlayWriter()
