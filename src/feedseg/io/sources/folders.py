"""Folders, searched recursively."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from feedseg.io.sources.base import Failure, Found, Source

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})


class Folders(Source):
    """All files in a folder that are called like images, but neither hidden ones nor results of earlier runs."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return Path(argument).is_dir()

    def find(self, argument: str, endings: tuple[str, ...]) -> Iterator[Found | Failure]:
        """See `Source.find`."""
        folder = Path(argument)
        home, empty = folder.resolve().name, True
        for below in _walk(folder, endings):
            empty = False
            yield below if isinstance(below, Failure) else Found(below, below.relative_to(folder), home)
        if empty:
            suffixes = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
            yield Failure(argument, f"{argument} has no images ({suffixes})")


def _walk(folder: Path, endings: tuple[str, ...]) -> Iterator[Path | Failure]:
    """The images below a folder in the order of their names, and the folders that cannot be read."""
    unreadable: list[OSError] = []
    for home, folders, files in os.walk(folder, onerror=unreadable.append):
        yield from _failures(unreadable)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            lowered = name.lower()
            if PurePath(lowered).suffix in SUFFIXES and not lowered.startswith(".") and not lowered.endswith(endings):
                yield Path(home, name)
    yield from _failures(unreadable)


def _failures(errors: list[OSError]) -> Iterator[Failure]:
    while errors:
        error = errors.pop(0)
        yield Failure(str(error.filename), f"{error.filename} cannot be read: {error.strerror}")


SOURCE = Folders()
