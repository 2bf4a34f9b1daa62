"""Georeferenced rasters among what is found."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePath
from typing import BinaryIO

from feedseg.io.raster.gdal import ADVICE, is_installed
from feedseg.io.sources.base import Found, Refused, Search

SUFFIXES = (".tif", ".tiff")
_PLACES = {33550, 34264, 33922}  # tags: the size of a pixel, a transform, points whose place is known
_WIDTH, _HEIGHT = 256, 257
_MOST_TAGS = 4096


@dataclass(frozen=True)
class FoundRaster(Found):
    """A raster that was asked for; it is read a band of rows at a time."""


def found_raster(path: Path, inside: PurePath, home: str, search: Search) -> FoundRaster | Refused | None:
    """A TIFF that is a raster, what to say where rasterio is not installed, or None for an image.

    A raster is a TIFF that says where on Earth it is, or has more pixels than an image may have; with `search.rasters`
    every TIFF is one, or none.
    """
    if path.suffix.lower() not in SUFFIXES or search.rasters is False:
        return None
    if search.rasters is None:
        try:
            with path.open("rb") as file:
                tags = tiff_tags(file)
        except (OSError, ValueError, struct.error):  # why it cannot be read is told when it is read
            return None
        pixels = prod(tags.get(tag, 0) for tag in (_WIDTH, _HEIGHT))
        if not _PLACES & tags.keys() and pixels <= search.max_pixels:
            return None
    if not is_installed():
        return Refused(str(path), "georeferenced raster", f"{ADVICE}, or --no-raster to take it as an image")
    return FoundRaster(path, inside, home)


def tiff_tags(file: BinaryIO) -> dict[int, int]:
    """The tags of a TIFF's first image, with the values of those that hold one number, and 0 for others.

    Raises:
        ValueError: it is no TIFF.
        struct.error: it ends early.
    """
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    kind = 0 if order is None else struct.unpack(f"{order}H", head[2:4])[0]
    if order is None or kind not in (42, 43):
        raise ValueError("no TIFF")
    # 43 is BigTIFF, whose numbers of entries and offsets have eight bytes.
    number, entry, place = ("H", "HHI4s", head[4:8]) if kind == 42 else ("Q", "HHQ8s", head[8:16])
    (offset,) = struct.unpack(f"{order}{'I' if kind == 42 else 'Q'}", place)
    file.seek(offset)
    (count,) = struct.unpack(f"{order}{number}", file.read(struct.calcsize(f"{order}{number}")))
    size = struct.calcsize(f"{order}{entry}")
    tags = {}
    for _ in range(min(count, _MOST_TAGS)):
        tag, form, values, value = struct.unpack(f"{order}{entry}", file.read(size))
        one = {3: "H", 4: "I", 16: "Q"}.get(form)
        single = values == 1 and one is not None and struct.calcsize(one) <= len(value)
        tags[tag] = struct.unpack_from(f"{order}{one}", value)[0] if single else 0
    return tags
