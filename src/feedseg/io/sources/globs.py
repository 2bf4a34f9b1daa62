"""Patterns that no shell has replaced by what they match: in quotes, or on Windows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from feedseg.io.sources.base import Failure, Finding, Found, Given, Refused, Search, Source, classified
from feedseg.io.sources.folders import walk

ANY_DEPTH = "**"


class Globs(Source):
    """Images whose path matches a pattern; a folder that one matches is searched, unless the pattern is of any depth.

    What is really called like the pattern is meant itself.
    """

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return is_pattern(argument) and "://" not in argument and not os.path.lexists(argument)

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        parts = Path(argument).expanduser().parts
        fixed = next(index for index, part in enumerate(parts) if is_pattern(part))
        root = Path(*parts[:fixed])
        empty = True
        for found in _matches(root, parts[fixed:], search):
            empty = empty and not isinstance(found, (Found, Failure, Given, Refused))
            yield found
        if empty:
            yield Failure(argument, f"{argument} matches no images")


def is_pattern(text: str) -> bool:
    """Whether there is anything in it that stands for something else."""
    return any(char in text for char in "*?[")


def _matches(root: Path, pattern: Sequence[str], search: Search) -> Iterator[Finding]:
    if ANY_DEPTH in pattern:
        yield from (found for inside, found in walk([root], root, search) if _fits(inside.parts, pattern))
        return
    home = root.resolve().name
    folders, links = [], []
    for path in sorted(root.glob(str(Path(*pattern)))):
        if not path.is_dir() or path.name.startswith("."):
            yield classified(path, path.relative_to(root), home, search)
        else:
            (links if path.is_symlink() else folders).append(path)
    yield from (found for _, found in walk(folders, root, search, links))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path's parts match those of a pattern, in which ** stands for any number of them."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        if len(pattern) == 1:
            return True
        return any(_fits(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


SOURCE = Globs()
