"""Whether an AVI that its recorder has not finished was cut off, which its header and its frames may not say."""

from __future__ import annotations

import struct
from os import SEEK_CUR, SEEK_END
from typing import BinaryIO

_CHUNK = struct.Struct("<4sI")
_LISTS = (b"RIFF", b"LIST")
_COUNT = slice(16, 20)  # of the main header: how many frames there are


def is_cut_off(file: BinaryIO) -> bool | None:
    """Of an AVI whose header counts no frame, whether its last chunk is shorter than it says; None for any other file.

    A recorder counts when it ends, so one that was ended has not; but what was written into a pipe has no count either,
    and is whole. So of a file without a count that ends behind a chunk nothing more can be said.
    """
    length = file.seek(0, SEEK_END)
    file.seek(0)
    if file.read(4) != b"RIFF" or file.read(8)[4:] != b"AVI ":
        return None
    while len(head := file.read(_CHUNK.size)) == _CHUNK.size:
        kind, size = _CHUNK.unpack(head)
        if kind in _LISTS:  # whose own size is zero as long as it is not finished: its chunks are looked at
            file.seek(4, SEEK_CUR)
            continue
        place = file.tell()
        if place + size > length:
            return True
        if kind == b"avih" and file.read(size)[_COUNT] != bytes(4):
            return None
        file.seek(place + size + size % 2)
    return bool(head)
