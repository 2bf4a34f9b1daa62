"""Files that cost far more to decode than they look, made here."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

_SCAN, _END = 0xDA, 0xD9


def progressive_bomb(side: int, scans: int) -> bytes:
    """A progressive JPEG of one grey whose second scan comes so many times: every one goes over all blocks."""
    file = BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True, quality=50)
    parts = list(_segments(file.getvalue()))
    second = [index for index, part in enumerate(parts) if part[1] == _SCAN][1]
    return b"\xff\xd8" + b"".join(part * (scans if index == second else 1) for index, part in enumerate(parts))


def _segments(content: bytes) -> Iterator[bytes]:
    """The parts of a JPEG behind its start, a scan with its data."""
    start = 2
    while start < len(content):
        marker = content[start + 1]
        end = start + 2
        if marker != _END:
            end += struct.unpack(">H", content[end : end + 2])[0]
        if marker == _SCAN:
            while content[end] != 0xFF or content[end + 1] == 0 or 0xD0 <= content[end + 1] <= 0xD7:
                end += 1
        yield content[start:end]
        start = end
