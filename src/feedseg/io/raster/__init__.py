"""Georeferenced rasters of any size: read and written a band of rows at a time."""

from __future__ import annotations

from feedseg.io.raster.options import RasterOptions
from feedseg.io.raster.source import Raster, open_raster

__all__ = ["Raster", "RasterOptions", "open_raster"]
