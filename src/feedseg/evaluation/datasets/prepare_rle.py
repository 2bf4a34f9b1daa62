"""Run-length encoded masks as COCO and PASCAL in Detail have them.

The pixels go down the columns, from the left; the runs are alternately outside and inside, outside first. Compressed,
a run is a series of characters, each 48 more than six bits: five of the number, the lowest first, and one that says
whether more follow; the highest bit of the last five is the sign. From the fourth run on the number is the difference
to the run two before. (COCO's API, Lin et al., ECCV 2014.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedseg.errors import FeedsegError

LONGEST = 60  # bits of a number; the last five may have a sign


def decode_mask(counts: str | Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Which pixels lie inside: (height, width), bool.

    Args:
        counts: the runs, as numbers or compressed into a text.
        size: height and width.

    Raises:
        FeedsegError: the runs are damaged, or do not come to the size.
    """
    runs = np.asarray(decompressed(counts) if isinstance(counts, str) else counts, np.int64)
    height, width = size
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise FeedsegError(f"the runs of a mask do not come to {width} × {height} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def decompressed(text: str) -> list[int]:
    """The runs in a compressed text.

    Raises:
        FeedsegError: a character that cannot be there, or the text ends within a number.
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise FeedsegError(f"{character!r} cannot stand in a run-length encoded mask")
        number |= (bits & 31) << shift
        shift += 5
        if shift > LONGEST:
            raise FeedsegError("a number in a run-length encoded mask is longer than 64 bits")
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    if shift:
        raise FeedsegError("a run-length encoded mask ends within a number")
    return runs
