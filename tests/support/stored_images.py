"""Image files written byte by byte, as their formats' documents say, so that what they hold is known without Pillow."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

UNSIGNED, SIGNED, FRACTIONS = 1, 2, 3  # of a TIFF's numbers
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, YCBCR, LAB = 0, 1, 2, 5, 6, 8
_SHORT, _LONG = 3, 4
GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6  # of a PNG


def tiff(
    values: np.ndarray,
    photometric: int = BLACK_IS_ZERO,
    numbers: int = UNSIGNED,
    *,
    big_endian: bool = False,
    tags: Mapping[int, Sequence[int]] | None = None,
) -> bytes:
    """An uncompressed TIFF in one strip of (height, width) or (height, width, samples)."""
    order = ">" if big_endian else "<"
    height, width, samples = (*values.shape, 1)[:3]
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: [width],
        257: [height],
        258: [values.dtype.itemsize * 8] * samples,
        259: [1],  # not compressed
        262: [photometric],
        273: [8],  # where the data begin
        277: [samples],
        278: [height],
        279: [len(data)],
        339: [numbers] * samples,
        **(tags or {}),
    }
    behind = 8 + len(data) + 2 + 12 * len(entries) + 4
    listed, longer = b"", b""
    for tag, content in sorted(entries.items()):
        kind = _LONG if tag in (256, 257, 273, 278, 279) else _SHORT
        packed = struct.pack(f"{order}{len(content)}{'I' if kind == _LONG else 'H'}", *content)
        if len(packed) > 4:
            longer, packed = longer + packed, struct.pack(f"{order}I", behind + len(longer))
        listed += struct.pack(f"{order}HHI", tag, kind, len(content)) + packed.ljust(4, b"\0")
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(entries)) + listed + bytes(4) + longer


def png(values: np.ndarray, colour: int = GREY, **chunks: bytes) -> bytes:
    """A PNG of 8 or 16 bits without filters; `chunks` come before its data."""
    height, width = values.shape[:2]
    bits = values.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = {"IHDR": head, **chunks, "IDAT": zlib.compress(rows), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), content) for name, content in parts.items())


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def portable(values: np.ndarray, most: int) -> bytes:
    """A PGM or PPM of numbers up to `most`."""
    height, width = values.shape[:2]
    head = f"{'P6' if values.ndim == 3 else 'P5'} {width} {height} {most}\n".encode()
    return head + values.astype(">u2" if most > 255 else "u1").tobytes()
