"""What a TIFF's header says, of every kind of TIFF."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pytest

from feedseg.io.sources.rasters import tiff_tags
from tiny_rasters import patches, write_raster

pytest.importorskip("rasterio")


@pytest.mark.parametrize(
    "profile", [{}, {"bigtiff": "yes"}, {"endianness": "big"}, {"bigtiff": "yes", "endianness": "big"}]
)
def test_sizes_and_places_are_read(tmp_path: Path, profile: dict[str, str]) -> None:
    path = write_raster(tmp_path / "a.tif", patches((300, 70)), **profile)
    with path.open("rb") as file:
        tags = tiff_tags(file)
    assert (tags[256], tags[257]) == (300, 70)
    assert {33550, 33922} <= tags.keys()


def test_what_is_no_tiff(tmp_path: Path) -> None:
    whole = write_raster(tmp_path / "a.tif", patches((30, 20))).read_bytes()
    for content in (b"", b"II", b"These are words.", b"II\x2b\0\x08\0\0\0", whole[:12], whole[:150]):
        with pytest.raises((ValueError, struct.error)):
            tiff_tags(BytesIO(content))
