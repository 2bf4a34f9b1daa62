"""Files at addresses that fsspec understands, such as s3://bucket/key, and local ones by the same functions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from feedseg.errors import FeedsegError, first_line

T = TypeVar("T")
WAITS = (0.5, 2.0)  # seconds before something is tried again
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)  # as it will be the next time


def is_remote(place: str) -> bool:
    """Whether it is an address rather than a path."""
    return "://" in place


def shown(url: str) -> str:
    """An address without user and password."""
    return re.sub(r"^([^/]*://)[^/]*@", r"\1", url)


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path there.

    Raises:
        FeedsegError: there is none, or what it needs is not installed.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:  # "Install s3fs to access S3"
        raise FeedsegError(f"{shown(url)}: {first_line(error)}, with pip") from error
    except Exception as error:  # a wrong address, or no credentials, of as many kinds as there are file systems
        raise FeedsegError(f"{shown(url)} cannot be reached by {scheme}: {first_line(error)}") from error


def tried(action: Callable[[], T], what: str) -> T:
    """What the action returns, at the third attempt at the latest: networks fail for moments.

    Raises:
        FeedsegError: it fails, beginning with `what`.
    """
    for wait in (*WAITS, None):
        try:
            return action()
        except FINAL as error:
            raise FeedsegError(f"{what}: {first_line(error) if str(error) else type(error).__name__}") from error
        except Exception as error:  # file systems raise what their clients do
            if wait is None:
                raise FeedsegError(f"{what}: {first_line(error)}") from error
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def read(place: str, start: int = 0, end: int | None = None) -> bytes:
    """The bytes of a file from `start` to before `end`. Raises FeedsegError."""
    if is_remote(place):
        system, path = file_system(place)
        return tried(lambda: system.cat_file(path, start, end), f"{shown(place)} cannot be read")
    try:
        with Path(place).open("rb") as file:
            file.seek(start)
            return file.read() if end is None else file.read(end - start)
    except OSError as error:
        raise FeedsegError(f"{place} cannot be read: {error.strerror or error}") from error


def opened(place: str) -> BinaryIO:
    """A file for reading anywhere in it. Raises FeedsegError where it cannot be opened."""
    if is_remote(place):
        system, path = file_system(place)
        return tried(lambda: system.open(path, "rb"), f"{shown(place)} cannot be read")
    try:
        return Path(place).open("rb")
    except OSError as error:
        raise FeedsegError(f"{place} cannot be read: {error.strerror or error}") from error
