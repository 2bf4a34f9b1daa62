"""A raster read to its end in another process before this one reads it: what crashes or holds up GDAL does so there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from feedseg.errors import FeedsegError
from feedseg.io.raster.options import RasterOptions
from feedseg.io.raster.overlay import LONGEST
from feedseg.io.raster.source import open_raster
from feedseg.io.reading import FileReader

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

ROWS = 256  # that are read in the time which one file has


def probe(path: Path, options: RasterOptions, reader: FileReader) -> None:
    """Read all that will be read of a raster. Raises FeedsegError where that crashes its decoder or takes too long."""
    if reader.decoder is not None:
        for _ in reader.decoder.stream(read_through, path, reader.limits, bands=list(options.bands)):
            pass


def read_through(file: BinaryIO, name: str, max_pixels: int, bands: Sequence[int]) -> Iterator[Answer]:
    """Read an open raster: its brightness, its preview, all its rows; see `feedseg.io.decoding`.

    What there is to say of it is told by who reads it next.
    """
    with suppress(FeedsegError), ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raster = stack.enter_context(open_raster(Path(file.name), RasterOptions(tuple(bands))))
        raster.preview(LONGEST)
        for start in range(0, raster.size[0], ROWS):
            yield {}, None
            raster.rows(start, min(start + ROWS, raster.size[0]))
