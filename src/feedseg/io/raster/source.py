"""A raster that is read in bands of rows, at its own size or resized, as 8-bit RGB with what is valid.

Working pixels are those of the resized raster; at a scale of 1 they are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.raster.brightness import Brightness, brightness
from feedseg.io.raster.gdal import environment, opened, told
from feedseg.io.raster.options import RasterOptions

Rows = tuple[np.ndarray, np.ndarray]  # (rows, width, 3) uint8; (rows, width) bool, which pixels hold data
_REACH = 3  # working pixels, beyond which no pixel has a part in another, whatever it is resized by


class Raster:
    """An opened raster."""

    def __init__(self, dataset: Any, name: str, options: RasterOptions) -> None:
        """`dataset` is rasterio's. Raises FeedsegError where its bands are none that can be seen."""
        self.name = name
        self.dataset = dataset
        self.options = options
        self.size: tuple[int, int] = (dataset.height, dataset.width)
        self.working: tuple[int, int] = (_scaled(dataset.height, options.scale), _scaled(dataset.width, options.scale))
        self.bands = options.bands or _usual_bands(dataset)
        _check_bands(dataset, self.bands, name)
        self.brightness: Brightness = brightness(dataset, self.bands, options.stretch, name)

    @property
    def is_placed(self) -> bool:
        """Whether the file says where on Earth its pixels are."""
        return self.dataset.crs is not None and not self.dataset.transform.is_identity

    def rows(self, start: int, stop: int) -> Rows:
        """Some rows at the raster's own size. Raises FeedsegError where they are damaged."""
        with self._readable(start, stop):
            window = ((start, stop), (0, self.size[1]))
            values = self.dataset.read(self.bands, window=window)
            masks = self.dataset.read_masks(self.bands, window=window)
        valid = masks.any(axis=0)
        if values.dtype.kind == "f":
            valid &= np.isfinite(values).all(axis=0)
        pixels = self.brightness.pixels(values)
        pixels[~valid] = 0
        return pixels, valid

    def valid(self, start: int, stop: int) -> np.ndarray:
        """Which pixels of some rows hold data, (rows, width) bool."""
        if self.dataset.dtypes[0].startswith("float"):
            return self.rows(start, stop)[1]
        with self._readable(start, stop):
            return self.dataset.read_masks(self.bands, window=((start, stop), (0, self.size[1]))).any(axis=0)

    def working_rows(self, start: int, stop: int) -> Rows:
        """Some rows of working pixels; valid is what lies near valid pixels, so that more is and never less."""
        if self.working == self.size:
            return self.rows(start, stop)
        (height, width), (tall, wide) = self.size, self.working
        ratio = height / tall
        margin = ceil(_REACH * max(ratio, 1)) + 2
        first, last = max(0, floor(start * ratio) - margin), min(height, ceil(stop * ratio) + margin)
        pixels, valid = self.rows(first, last)
        box = (0, start * ratio - first, width, stop * ratio - first)
        shown = Image.fromarray(pixels).resize((wide, stop - start), Image.Resampling.BICUBIC, box=box)
        near = _any(valid, np.arange(start, stop), ratio, first)
        return np.array(shown), _any(near.T, np.arange(wide), width / wide, 0).T

    def preview(self, longest: int) -> Rows:
        """The whole in few pixels, the nearest ones."""
        factor = min(1.0, longest / max(self.size))
        shape = tuple(max(1, round(side * factor)) for side in self.size)
        with self._readable(0, self.size[0]):
            values = self.dataset.read(self.bands, out_shape=(len(self.bands), *shape))
            valid = self.dataset.read_masks(self.bands, out_shape=(len(self.bands), *shape)).any(axis=0)
        return self.brightness.pixels(values), valid

    @contextmanager
    def _readable(self, start: int, stop: int) -> Iterator[None]:
        where = f"{self.name} is damaged: of its rows {start + 1} to {stop} some cannot be read"
        with told(where, "make or fetch the file again"):
            yield


@contextmanager
def open_raster(path: str | Path, options: RasterOptions | None = None) -> Iterator[Raster]:
    """A raster file, open while inside.

    Raises:
        FeedsegError: rasterio is not installed; the file is no TIFF, or of bands that cannot be seen.
    """
    with environment() as rasterio:
        with told(f"{path} cannot be read as a raster", "give a GeoTIFF that is whole"):
            dataset = opened(rasterio, Path(path))
        with dataset:
            yield Raster(dataset, str(path), options or RasterOptions())


def _scaled(side: int, scale: float) -> int:
    return max(1, int(side * scale + 0.5))


def _usual_bands(dataset: Any) -> tuple[int, ...]:
    """The bands that the file calls red, green and blue; else the first three, or the first."""
    named = {interpretation.name: band for band, interpretation in enumerate(dataset.colorinterp, 1)}
    if all(colour in named for colour in ("red", "green", "blue")):
        return named["red"], named["green"], named["blue"]
    seen = [band for band, one in enumerate(dataset.colorinterp, 1) if one.name != "alpha"]
    return tuple(seen[:3]) if len(seen) >= 3 else tuple(seen[:1])


def _check_bands(dataset: Any, bands: tuple[int, ...], name: str) -> None:
    """Raises FeedsegError where there are no such bands, or their numbers are no brightness."""
    if not bands:
        raise FeedsegError(f"{name} has no band that can be seen: give --bands")
    if absent := [band for band in bands if band > dataset.count]:
        has = "1 band" if dataset.count == 1 else f"{dataset.count} bands"
        raise FeedsegError(
            f"{name} has {has}, and --bands asks for {absent[0]}: give --bands from 1 to {dataset.count}"
        )
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if strange := [kind for kind in kinds if kind.startswith("complex")]:
        raise FeedsegError(
            f"{name} holds {strange[0].replace('complex_', 'complex ')} numbers, which are no brightness: convert "
            "it to their magnitude first"
        )


def _any(valid: np.ndarray, rows: np.ndarray, ratio: float, first: int) -> np.ndarray:
    """Whether anything is valid within reach of working rows; `valid` begins at row `first` of the raster."""
    counts = np.zeros((len(valid) + 1, valid.shape[1]), np.int32)
    np.cumsum(valid, axis=0, out=counts[1:])
    low = np.clip(np.floor((rows - _REACH + 1) * ratio).astype(int) - first, 0, len(valid))
    high = np.clip(np.ceil((rows + _REACH) * ratio).astype(int) - first, 0, len(valid))
    return counts[high] > counts[low]
