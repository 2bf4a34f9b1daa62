"""Where the parts of a table go: a folder, or a place in object storage. A file there is whole or not there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, ClassVar

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.remote import file_system, is_remote, opened, read, shown, tried


class Store(ABC):
    """Files by name in one place, none below another."""

    shared: ClassVar[bool]  # whether several drivers can write there without any of them being kept out

    @property
    @abstractmethod
    def name(self) -> str:
        """What the place is called in messages."""

    @abstractmethod
    def names(self) -> list[str]:
        """The files that are there, sorted; none where the place is not there. Raises FeedsegError."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's bytes. Raises FeedsegError."""

    def opened(self, name: str) -> BinaryIO:
        """A file for reading anywhere in it; where it is far away, it is fetched as a whole. Raises FeedsegError."""
        return BytesIO(self.read(name))

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Make a file, or replace it. Raises FeedsegError."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there. Raises FeedsegError."""


class FolderStore(Store):
    """A folder."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """See `Store.name`."""
        return str(self.folder)

    def names(self) -> list[str]:
        """See `Store.names`."""
        try:
            return sorted(path.name for path in self.folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise FeedsegError(f"{self.folder} cannot be read: {error.strerror or error}") from error

    def read(self, name: str) -> bytes:
        """See `Store.read`."""
        return read(str(self.folder / name))

    def opened(self, name: str) -> BinaryIO:
        """See `Store.opened`."""
        return opened(str(self.folder / name))

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""
        with write_atomically(self.folder / name) as temporary:
            temporary.write_bytes(content)

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise FeedsegError(f"cannot remove {self.folder / name}: {error.strerror or error}") from error


class RemoteStore(Store):
    """An address of fsspec's, whose files appear once they are whole, as object storage has it."""

    shared = True

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._system, self._root = file_system(self._url)

    @property
    def name(self) -> str:
        """See `Store.name`."""
        return shown(self._url)

    def names(self) -> list[str]:
        """See `Store.names`."""

        def listed() -> list[str]:
            self._system.invalidate_cache()
            with suppress(FileNotFoundError):
                return sorted(str(path).rstrip("/").rpartition("/")[2] for path in self._system.ls(self._root, False))
            return []

        return tried(listed, f"{self.name} cannot be listed")

    def read(self, name: str) -> bytes:
        """See `Store.read`."""
        return read(f"{self._url}/{name}")

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""

        def put() -> None:
            self._system.makedirs(self._root, exist_ok=True)  # nothing to do where there are no folders
            self._system.pipe_file(f"{self._root}/{name}", content)

        tried(put, f"cannot write {self.name}/{name}")

    def remove(self, name: str) -> None:
        """See `Store.remove`."""

        def gone() -> None:
            with suppress(FileNotFoundError):
                self._system.rm_file(f"{self._root}/{name}")

        tried(gone, f"cannot remove {self.name}/{name}")


def store_at(place: str) -> Store:
    """The store at a path or an address. Raises FeedsegError where there is no file system for it."""
    return RemoteStore(place) if is_remote(place) else FolderStore(Path(place))
