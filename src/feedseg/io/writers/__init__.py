"""The formats that a result can be saved in, one file each: see `feedseg.io.writers.base.Writer`."""

from __future__ import annotations

from feedseg.io.writers.base import Writer
from feedseg.registry import Registry

_FORMER = (".overlay.png",)  # of version 0.2

WRITERS: Registry[Writer] = Registry("feedseg.io.writers", "WRITER", "Writer")


def suffixes() -> tuple[str, ...]:
    """What the registered writers append to a file's stem, or once did."""
    return (*(WRITERS.load(name).suffix for name in WRITERS.names()), *_FORMER)
