"""JSON that others wrote: what Python's own reader would take in silence, or end by, is a ValueError here."""

from __future__ import annotations

import json
import stat
from math import isfinite
from pathlib import Path
from typing import Any

LARGEST = 64 * 2**20  # bytes of a file; configurations, indices and results are far smaller


def parse_json(text: str | bytes) -> Any:
    """What JSON says.

    Raises:
        ValueError: it is none, is nested too deeply, holds a number that is not finite, or has one key twice.
    """
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_json_file(path: Path) -> Any:
    """What a file's JSON says, with or without a byte-order mark.

    Raises:
        OSError: it cannot be read, or is no regular file.
        ValueError: see `parse_json`; or it is too large.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError(None, "no regular file")
    if about.st_size > LARGEST:
        raise ValueError(f"{about.st_size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}")
    return parse_json(path.read_text(encoding="utf-8-sig"))


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:80]!r} stands there twice")
    return found
