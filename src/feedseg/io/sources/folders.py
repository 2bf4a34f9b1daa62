"""Folders, searched recursively."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from feedseg.io.sources.base import STATE, Failure, Finding, Found, Given, Refused, Search, Skipped, Source, classified

READ_ALREADY, ABOVE = "linked to a folder that is read anyway", "linked to a folder above"


class Folders(Source):
    """All files in a folder that are called like images, but neither hidden ones nor results of earlier runs."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return Path(argument).is_dir()

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        from feedseg.io.decoders import readable

        folder, empty = Path(argument), True
        for _, found in walk([folder], folder, search):
            empty = empty and not isinstance(found, (Found, Failure, Given, Refused))
            yield found
        if empty:
            suffixes = ", ".join(suffix[1:] for one in readable() for suffix in one.suffixes)
            yield Failure(argument, f"{argument} has no images ({suffixes})")


def walk(
    folders: Sequence[Path], root: Path, search: Search, links: Iterable[Path] = ()
) -> Iterator[tuple[PurePath, Finding]]:
    """What is below folders, by its path below `root`: every folder's files by name, then its folders'.

    Links to folders are followed once all other folders are read, each folder once: however links lead in circles,
    this ends, and an image is called by its own path rather than by a link's. None leads to a folder above `root`.
    """
    home, real_root = root.resolve().name, root.resolve()
    seen: set[tuple[int, int]] = set()
    following = deque(links)
    waiting = list(reversed(folders))
    while waiting or following:
        linked = not waiting
        current = waiting.pop() if waiting else following.popleft()
        below = current.relative_to(root)
        if linked and real_root.is_relative_to(current.resolve()):
            yield below, Skipped(current, ABOVE)
            continue
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                if linked:
                    yield below, Skipped(current, READ_ALREADY)
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield below, Failure(str(current), f"{current} cannot be read: {error.strerror}")
            continue
        inner = []
        for entry in ordered:
            path = current / entry.name
            if entry.name == STATE:
                continue
            if not entry.is_dir() or entry.name.startswith("."):
                inside = path.relative_to(root)
                yield inside, classified(path, inside, home, search)
            elif entry.is_symlink():
                following.append(path)
            else:
                inner.append(path)
        waiting += reversed(inner)


SOURCE = Folders()
