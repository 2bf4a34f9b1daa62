"""Folders, searched recursively."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path, PurePath

from feedseg.io.sources.base import STATE, Failure, Finding, Found, Refused, Search, Skipped, Source, classified

READ_ALREADY, ABOVE = "links to folders that are read anyway", "links to folders above"


class Folders(Source):
    """All files in a folder that are called like images, but neither hidden ones nor results of earlier runs."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return Path(argument).is_dir()

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        from feedseg.io.decoders import readable

        folder, empty = Path(argument), True
        for _, found in walk(folder, folder, search):
            empty = empty and not isinstance(found, (Found, Failure, Refused))
            yield found
        if empty:
            suffixes = ", ".join(suffix[1:] for one in readable() for suffix in one.suffixes)
            yield Failure(argument, f"{argument} has no images ({suffixes})")


def walk(folder: Path, root: Path, search: Search) -> Iterator[tuple[PurePath, Finding]]:
    """What is below a folder, by its path below `root`: every folder's files by name, then its folders'.

    Links to folders are followed once all other folders are read, each folder once: however links lead in circles,
    this ends, and an image is called by its own path rather than by a link's.
    """
    home = root.resolve().name
    seen: set[tuple[int, int]] = set()
    links: deque[Path] = deque()
    waiting = [folder]
    while waiting or links:
        linked = not waiting
        current = waiting.pop() if waiting else links.popleft()
        below = current.relative_to(root)
        if linked and folder.resolve().is_relative_to(current.resolve()):
            yield below, Skipped(ABOVE)
            continue
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                if linked:
                    yield below, Skipped(READ_ALREADY)
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield below, Failure(str(current), f"{current} cannot be read: {error.strerror}")
            continue
        folders = []
        for entry in ordered:
            path = current / entry.name
            if entry.name == STATE:
                continue
            if not entry.is_dir() or entry.name.startswith("."):
                inside = path.relative_to(root)
                yield inside, classified(path, inside, home, search)
            elif entry.is_symlink():
                links.append(path)
            else:
                folders.append(path)
        waiting += reversed(folders)


SOURCE = Folders()
