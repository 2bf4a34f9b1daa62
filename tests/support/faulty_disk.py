"""A disk that fails: from one step on, whatever would be written below a folder meets an error of the system."""

from __future__ import annotations

import builtins
import errno
import io
import os
import pathlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OPEN = io.open
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class FaultyDisk:
    """Steps are files that are made, what is written to them, folders that are made, and files that get their names.

    They are counted; after `good` of them each fails, or only the next one where that does not last. What libraries
    write without Python is not seen: for those there is `file_size_limit`.
    """

    def __init__(self, folder: Path, good: int = 10**9, error: int = errno.ENOSPC, *, lasting: bool = True) -> None:
        self.folder, self.good, self.error, self.lasting = folder, good, error, lasting
        self.steps = 0

    def put_in(self, patch: pytest.MonkeyPatch) -> FaultyDisk:
        """Have everything below the folder go through it; returns the disk itself."""
        patch.setattr(io, "open", self.open)
        patch.setattr(builtins, "open", self.open)
        made = {"mkdir": 0, "replace": 1, "rename": 1}  # which argument says where
        removed = {"unlink": 0, "remove": 0, "rmdir": 0} if self.error in READ_ONLY else {}
        for name, place in {**made, **removed}.items():
            patch.setattr(os, name, self._guarded(getattr(os, name), place))
        patch.setattr(os, "open", self._descriptor(os.open))
        if accessor := getattr(pathlib, "_NormalAccessor", None):  # Python 3.10, which has looked them up already
            for name in ("open", *made, *removed):
                patch.setattr(accessor, name, staticmethod(self.open if name == "open" else getattr(os, name)))
        return self

    def take(self, path: Any) -> None:
        """One more step. Raises OSError once there have been enough."""
        self.steps += 1
        if self.steps > self.good and (self.lasting or self.steps == self.good + 1):
            raise OSError(self.error, os.strerror(self.error), os.fspath(path))

    def holds(self, path: Any) -> bool:
        """Whether a path is below the folder."""
        return isinstance(path, (str, os.PathLike)) and Path(path).absolute().is_relative_to(self.folder)

    def open(self, file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        """What `open` is."""
        if not {*mode} & {*"wax+"} or not self.holds(file):
            return OPEN(file, mode, *arguments, **options)
        self.take(file)
        raw = _File(file, mode.replace("b", "").replace("t", ""))
        raw.disk = self
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return binary
        text: dict[str, Any] = {name: options.get(name) for name in ("encoding", "errors", "newline")}
        return io.TextIOWrapper(binary, **text)

    def _guarded(self, original: Callable[..., Any], place: int) -> Callable[..., Any]:
        def guarded(*arguments: Any, **options: Any) -> Any:
            path = arguments[place]
            there = original.__name__ == "mkdir" and os.path.lexists(path)  # which is said first
            if self.holds(path) and not there:
                self.take(path)
            return original(*arguments, **options)

        return guarded

    def _descriptor(self, original: Callable[..., int]) -> Callable[..., int]:
        def opened(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
            if self.holds(path) and flags & os.O_CREAT and not os.path.lexists(path):
                self.take(path)
            return original(path, flags, *arguments, **options)

        return opened


class _File(io.FileIO):
    """As the system has it: half of a write succeeds, and the next one says why there is no more."""

    disk: FaultyDisk
    failure: OSError | None = None

    def write(self, content: Any) -> int:
        if (failure := self.failure) is not None:
            self.failure = None
            raise failure
        try:
            self.disk.take(self.name)
        except OSError as error:
            if len(content) < 2:
                raise
            self.failure = error
            return super().write(memoryview(content)[: len(content) // 2])
        return super().write(content)
