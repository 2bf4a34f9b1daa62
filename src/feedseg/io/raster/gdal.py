"""rasterio, which not everyone has, and how its GDAL is used here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from feedseg.errors import FeedsegError, first_line

ADVICE = "pip install 'feedseg[geo]'"
CACHE = 64  # MB of decoded blocks that GDAL keeps; its own default is a part of the machine's memory


def is_installed() -> bool:
    """Whether rasters can be read here."""
    return find_spec("rasterio") is not None


def load_rasterio() -> Any:
    """rasterio's module. Raises FeedsegError where it is not installed."""
    if not is_installed():
        raise FeedsegError(f"georeferenced rasters need rasterio: {ADVICE}")
    import rasterio
    import rasterio.errors
    import rasterio.shutil

    logging.getLogger("rasterio").setLevel(logging.CRITICAL)  # what is wrong is told once, by exceptions
    return rasterio


@contextmanager
def environment() -> Iterator[Any]:
    """rasterio's module, inside of which GDAL keeps little, works in one thread and opens no address."""
    rasterio = load_rasterio()
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE, GDAL_NUM_THREADS=1):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield rasterio


@contextmanager
def told(what: str, advice: str) -> Iterator[None]:
    """Inside, what GDAL cannot do is a FeedsegError: what it was, GDAL's reason, and what to do."""
    from rasterio._err import CPLE_BaseError  # which copying raises as it is
    from rasterio.errors import RasterioError

    try:
        yield
    except (CPLE_BaseError, RasterioError, OSError, ValueError) as error:
        inner = error.__cause__ or error  # rasterio's own text often says no more than to see the one behind it
        raise FeedsegError(f"{what}: {first_line(inner)}; {advice}") from error


def opened(rasterio: Any, path: Path) -> Any:
    """A TIFF file, opened for reading; GDAL tries none of its other formats, some of which name further files."""
    return rasterio.open(path.absolute(), driver="GTiff")
