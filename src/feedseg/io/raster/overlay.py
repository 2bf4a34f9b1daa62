"""A raster under its classes' colours, small, to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from feedseg.io.overlay import overlay
from feedseg.io.raster.gdal import load_rasterio
from feedseg.io.raster.legend import Legend
from feedseg.io.raster.source import Raster
from feedseg.io.writers.base import encoded

SUFFIX = ".overlay.jpg"
LONGEST = 1600  # pixels of its long side
NO_DATA, COLOUR = "no data", (0, 0, 0)


def draw_overlay(target: Path, raster: Raster, labels: Path, legend: Legend) -> None:
    """Write the overlay of a raster and the file that holds its labels, a JPEG."""
    pixels, _ = raster.preview(LONGEST)
    with load_rasterio().open(labels) as file:
        shown = file.read(1, out_shape=pixels.shape[:2])
    names, colours = legend.names, legend.colours
    if (nothing := shown == legend.nodata).any():
        shown = np.where(nothing, len(names), shown).astype(np.uint16)
        names, colours = (*names, NO_DATA), np.concatenate([colours, np.array([COLOUR], np.uint8)])
    drawn = overlay(pixels, shown, names, legend.background, colours, longest=LONGEST)
    target.write_bytes(encoded(drawn, ".jpg", quality=88, subsampling=0, optimize=True))
