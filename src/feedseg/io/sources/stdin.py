"""Standard input, called -: one image, or a list of paths."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePath
from typing import BinaryIO

from feedseg.errors import FeedsegError
from feedseg.io.sources.base import Failure, Finding, Found, Given, Search, Source

NAME, ARGUMENT = "stdin", "-"
_NO_TEXT = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class StdinImage(Found):
    """The image that came by standard input."""

    content: bytes = field(default=b"", repr=False)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """See `Found.open`."""
        return closing(BytesIO(self.content))

    @property
    def name(self) -> str:
        """See `Found.name`."""
        return NAME

    @cached_property
    def key(self) -> str:
        """See `Found.key`."""
        return ARGUMENT


class Stdin(Source):
    """One image, or the paths of some: a line each, or each with a NUL behind it, as `find -print0` writes them."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return argument == ARGUMENT

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        content = sys.stdin.buffer.read(search.max_bytes + 1) if sys.stdin else b""
        if len(content) > search.max_bytes:
            yield Failure(NAME, f"stdin has more than {search.max_bytes / 1e6:g} MB: raise the limit by --max-bytes")
        elif not content.strip():
            yield Failure(NAME, "stdin is empty: pipe an image or a list of paths into it")
        elif _is_list(content):
            for path in paths(content):
                if path == ARGUMENT:
                    yield Failure(NAME, "stdin lists itself (-) among the images")
                else:
                    yield Given(path)
        else:
            yield StdinImage(Path(NAME), PurePath(NAME), "", content)


def paths(content: bytes) -> list[str]:
    """What a list holds, separated by NUL if there is one, else by line ends."""
    parts = content.split(b"\0") if b"\0" in content else content.splitlines()
    return [os.fsdecode(part) for part in parts if part.strip()]


def _is_list(content: bytes) -> bool:
    """Whether it is a list of paths: what is neither that nor an image is called an image, and complained about so."""
    from feedseg.io.decoders import opened_image

    first = paths(content[:10_000])[0]
    try:
        if os.path.lexists(first):
            return True
    except ValueError:  # no possible path
        pass
    try:
        with opened_image(BytesIO(content), NAME, sys.maxsize):
            return False
    except FeedsegError:
        return not _NO_TEXT.search(content[:10_000])


SOURCE = Stdin()
