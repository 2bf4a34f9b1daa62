"""Addresses of object storage and of what else fsspec knows: s3://bucket/folder, gs://bucket/*.tar, file:///photos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, BinaryIO

from feedseg.errors import FeedsegError
from feedseg.io.remote import shown
from feedseg.io.sources.base import (
    MAX_BYTES,
    SHARDS,
    STATE,
    Failure,
    Finding,
    Found,
    Given,
    Refused,
    Search,
    Skipped,
    Source,
    inside_of,
)


@dataclass(frozen=True)
class RemoteImage(Found):
    """An image at an address; it is read whenever it is asked for."""

    url: str = ""
    max_bytes: int = MAX_BYTES

    def open(self) -> AbstractContextManager[BinaryIO]:
        """See `Found.open`."""
        from feedseg.io.remote import read

        return closing(BytesIO(read(self.url, 0, self.max_bytes + 1)))  # by one more it is known as too large

    @property
    def name(self) -> str:
        """See `Found.name`."""
        return shown(self.url)

    @cached_property
    def key(self) -> str:
        """See `Found.key`."""
        return shown(self.url)


class Remotes(Source):
    """A file, all files below a folder, or those that match a pattern."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        scheme = re.match(r"([a-z][a-z0-9+.-]*)://", argument, re.IGNORECASE)
        return scheme is not None and scheme[1].lower() not in {"http", "https"}

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        from feedseg.io.remote import file_system, tried

        if not search.stored:
            yield Refused(shown(argument), "address of object storage", "feedseg batch reads it")
            return
        if PurePosixPath(argument).suffix.lower() in SHARDS and not _is_pattern(argument):
            yield from _shard(argument, search)
            return
        try:
            system, path = file_system(argument)
            listed = tried(lambda: _listed(system, path), f"{shown(argument)} cannot be listed")
        except FeedsegError as error:
            yield Failure(shown(argument), str(error))
            return
        empty = True
        for url, below in listed:
            found = _classified(url, below, PurePosixPath(path).name, search)
            empty = empty and isinstance(found, Skipped)
            yield found
        if empty:
            what = "matches no images" if _is_pattern(argument) else "has no images"
            yield Failure(shown(argument), f"{shown(argument)} {what}, or is not there")


def _is_pattern(argument: str) -> bool:
    return any(char in argument for char in "*?[")


def _shard(argument: str, search: Search) -> Iterator[Finding]:
    from feedseg.io.sources.shards import SOURCE

    return SOURCE.find(argument, search)


def _listed(system: Any, path: str) -> list[tuple[str, str]]:
    """Addresses of files, sorted, with their paths below the one given."""
    if _is_pattern(path):
        files = [name for name, about in system.glob(path, detail=True).items() if about["type"] == "file"]
        root = path[: min(path.index(char) for char in "*?[" if char in path)].rpartition("/")[0]
    else:
        files = system.find(path)
        root = path.rstrip("/").rpartition("/")[0] if files == [path] else path.rstrip("/")
    return [(system.unstrip_protocol(file), file[len(root) :].lstrip("/")) for file in sorted(files)]


def _classified(url: str, below: str, home: str, search: Search) -> Finding:
    from feedseg.io.decoders import BY_SUFFIX, readable

    name = PurePosixPath(url).name
    suffix = PurePosixPath(name.lower()).suffix
    path = Path(inside_of(below))
    if any(part.startswith(".") or part == STATE for part in PurePath(below).parts):
        return Skipped(Path(url), "hidden")
    if suffix in SHARDS:
        return Given(url)
    if suffix not in BY_SUFFIX:
        return Skipped(Path(url), suffix or "without suffix")
    if BY_SUFFIX[suffix] not in readable():
        return Refused(shown(url), f"{suffix} file", BY_SUFFIX[suffix].advice)
    return RemoteImage(path, path, home, url, search.max_bytes)


SOURCE = Remotes()
