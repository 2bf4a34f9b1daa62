"""What a source is, and what it finds; nothing heavy is imported before an image is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from feedseg.io.images import RgbImage


@dataclass(frozen=True)
class Failure:
    """An image, or an argument that should lead to some, and why there is no result; the reason names it."""

    input: str
    reason: str


@dataclass(frozen=True)
class Found:
    """An image that was asked for, not read yet; it pickles.

    A source whose images are no files of their own derives from it, with a `read` and a `key`.
    """

    path: Path
    inside: PurePath  # its path below the folder that was given; of a file that was given the name
    home: str  # the name of that folder; of a file that was given the name of the folder it is in

    def read(self) -> RgbImage:
        """The image. Raises FeedsegError if it cannot be read."""
        from feedseg.io.images import read_image

        return read_image(self.path)

    @cached_property
    def key(self) -> str:
        """The same for two ways to name one image."""
        return resolved(self.path)

    @property
    def stems(self) -> tuple[PurePath, ...]:
        """Where its results could go, from the plainest to the most distinct."""
        plain = self.inside.with_suffix("")
        return plain, self.inside, self.home / plain, self.home / self.inside


@dataclass(frozen=True)
class Job:
    """An image and where its results go."""

    image: Found
    folder: Path
    stem: str

    @property
    def path(self) -> Path:
        """The file that the image is in."""
        return self.image.path

    def read(self) -> RgbImage:
        """See `Found.read`."""
        return self.image.read()


class Source(ABC):
    """One kind of argument that leads to images. A registered one is a file of this package that defines `SOURCE`."""

    last: ClassVar[bool] = False  # whether it takes only what no other source takes

    @abstractmethod
    def takes(self, argument: str) -> bool:
        """Whether an argument, which is never empty, is of this kind. May raise OSError."""

    @abstractmethod
    def find(self, argument: str, endings: tuple[str, ...]) -> Iterator[Found | Failure]:
        """The images that an argument leads to, or why there are none. May raise OSError.

        `endings`: of the names of results, in lower case, which are no images to look for.
        """


def resolved(path: Path) -> str:
    """The path with its folder's links resolved: a link to an image is an image of its own."""
    return str(path.absolute().parent.resolve() / path.name)
