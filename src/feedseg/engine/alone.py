"""A folder that only one command writes into at a time, and that is cleared of what killed ones were writing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from feedseg.errors import FeedsegError
from feedseg.files import remove_temporaries

try:
    import fcntl
except ImportError:  # Windows, which locks no folders
    fcntl = None


@contextmanager
def sole_writer(out: Path, folders: Iterable[Path]) -> Iterator[None]:
    """Inside, no other process is in here for the same folder; temporary files that killed ones left are gone.

    The folder itself is locked, so that nothing has to be left in it; the system releases the lock of a process that
    ends, however it does. Where folders cannot be locked (Windows, some network drives) nobody is kept out, and what
    killed processes left stays, since another one may be writing it.

    Args:
        out: the folder; made if need be.
        folders: those at or below it that are written into.

    Raises:
        FeedsegError: another process is in here or in `fellow_writer`, or the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FeedsegError(f"cannot write {out}: {error.strerror or error}") from error
    with _locked(out, shared=False) as is_locked:
        for folder in {*folders} if is_locked else ():
            remove_temporaries(folder)
        yield


@contextmanager
def fellow_writer(out: Path) -> Iterator[None]:
    """Inside, no process is in `sole_writer` for the same folder, which is there; others may be in here.

    Raises:
        FeedsegError: a process is in `sole_writer`.
    """
    with _locked(out, shared=True):
        yield


@contextmanager
def _locked(out: Path, *, shared: bool) -> Iterator[bool]:
    """Whether the folder is locked; it is not where it cannot be."""
    if fcntl is None:
        yield False
        return
    try:
        held = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise FeedsegError(f"cannot write {out}: {error.strerror or error}") from error
    try:
        is_locked = False
        with suppress(OSError):  # of a network drive that has no such locks
            try:
                fcntl.flock(held, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                is_locked = True
            except BlockingIOError:
                raise FeedsegError(
                    f"another process is writing into {out}: wait until it has ended, or give another folder"
                ) from None
        yield is_locked
    finally:
        os.close(held)
