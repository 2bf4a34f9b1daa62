"""From a raster's numbers to 8-bit RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from feedseg.errors import FeedsegError, warn_user
from feedseg.io.raster.gdal import told
from feedseg.io.raster.options import USUAL_STRETCH, Stretch

SAMPLE = 1024  # pixels along a side that percentiles are taken from


@dataclass(frozen=True, eq=False)
class Brightness:
    """What is black and what is white in each band; or the colours of a band of indices."""

    limits: tuple[tuple[float, float], ...] = ()  # by band; none for 8 bits as they are
    colours: np.ndarray | None = None  # (256, 3) uint8, of a band that holds indices

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """Values (bands, height, width) as (height, width, 3) uint8, the caller's own."""
        if self.colours is not None:
            return self.colours[values[0]]
        if self.limits:
            values = np.stack([_stretched(band, *limits) for band, limits in zip(values, self.limits, strict=True)])
        return np.array(np.broadcast_to(values, (3, *values.shape[1:])).transpose(1, 2, 0), order="C")

    def describe(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"stretch": [list(limits) for limits in self.limits] or None, "palette": self.colours is not None}


def brightness(dataset: Any, bands: tuple[int, ...], stretch: Stretch | None, name: str) -> Brightness:
    """That of a dataset of rasterio's.

    Raises:
        FeedsegError: the file cannot be read, or the bands hold nothing.
    """
    eight_bits = {dataset.dtypes[band - 1] for band in bands} == {"uint8"}
    if stretch is None and eight_bits:
        return Brightness(colours=_palette(dataset, bands))
    if stretch is not None and not stretch.percent:
        return Brightness(((stretch.low, stretch.high),) * len(bands))
    limits = tuple(_ranked(dataset, band, stretch or USUAL_STRETCH, name) for band in bands)
    if stretch is None:
        said = ", ".join(f"{low:g} to {high:g}" for low, high in limits)
        warn_user(f"{name} holds {dataset.dtypes[bands[0] - 1]}: black to white are {said}, as --stretch could say")
    return Brightness(limits)


def _palette(dataset: Any, bands: tuple[int, ...]) -> np.ndarray | None:
    """The colours of a single band of indices."""
    if len(bands) != 1 or dataset.colorinterp[bands[0] - 1].name != "palette":
        return None
    colours = np.zeros((256, 3), np.uint8)
    for index, colour in dataset.colormap(bands[0]).items():
        if index < 256:
            colours[index] = colour[:3]
    return colours


def _ranked(dataset: Any, band: int, stretch: Stretch, name: str) -> tuple[float, float]:
    """The values of two ranks, among pixels that lie evenly over the raster."""
    shape = min(dataset.height, SAMPLE), min(dataset.width, SAMPLE)
    with told(f"{name} is damaged: band {band} cannot be read", "make or fetch the file again"):
        values = dataset.read(band, out_shape=shape)
        valid = dataset.read_masks(band, out_shape=shape) > 0
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    if not valid.any():
        raise FeedsegError(f"{name} holds no data in band {band}: choose others by --bands, or give --stretch LOW,HIGH")
    low, high = np.percentile(values[valid].astype(np.float64), [stretch.low, stretch.high])
    return float(low), float(high)


def _stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """A band in 8 bits; one without any difference is black."""
    with np.errstate(invalid="ignore"):  # what is no number has no data, and is black in the end
        parts = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low) if high > low else 0)
        return np.rint(np.nan_to_num(parts).clip(0, 255)).astype(np.uint8)
