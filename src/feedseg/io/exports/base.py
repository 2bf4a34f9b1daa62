"""What an export is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.packages import check_packages

if TYPE_CHECKING:
    from feedseg.io.results import Results

MAKER = b"feedseg"  # stands near the beginning or the end of every file that an export writes
NEAR = 4096  # bytes


class Export(ABC):
    """One file format for all the results of a run.

    A registered one is a file of this package that defines `EXPORT`. It is imported by everything that lists formats,
    so what is slow to import is imported inside `fill`.
    """

    name: ClassVar[str]  # what it is called in `--format`
    file: ClassVar[str]  # what the file is called
    description: ClassVar[str]  # half a line, for lists of formats
    packages: ClassVar[tuple[str, ...]] = ()  # that `fill` imports, and `pip install feedseg[formats]` brings

    @abstractmethod
    def fill(self, results: Results, path: Path) -> None:
        """Write the file, one result after the other; the same bytes for the same results.

        It says "feedseg" within the first or last 4096 bytes, by which it is known as ours.
        """

    def write(self, results: Results, folder: Path) -> Path:
        """Write the file into a folder, made if need be; it is whole or not there.

        Raises:
            FeedsegError: a result or the file cannot be read or written; somebody else's is there.
        """
        path = folder / self.file
        self.check_place(folder)
        with write_atomically(path) as temporary:
            self.fill(results, temporary)
        return path

    def check_installed(self) -> None:
        """Raises FeedsegError where a package is missing, saying what to install."""
        check_packages(self.name, self.packages)

    def check_place(self, folder: Path) -> None:
        """Raises FeedsegError where a file that is not ours has the name of this one."""
        check_ours(folder / self.file)


def check_ours(path: Path) -> None:
    """Raises FeedsegError where there is a file that no export has written."""
    try:
        with path.open("rb") as file:
            near = file.read(NEAR)
            file.seek(max(path.stat().st_size - NEAR, 0))
            near += file.read(NEAR)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FeedsegError(f"cannot write {path}: {error.strerror or error}") from error
    if MAKER not in near:
        raise FeedsegError(f"{path} is there and was not written by feedseg: move it away, or give another folder")
