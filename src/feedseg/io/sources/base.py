"""What a source is, and what it finds; nothing heavy is imported before an image is read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from os import SEEK_END
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, BinaryIO, ClassVar

if TYPE_CHECKING:
    from feedseg.io.images import RgbImage
    from feedseg.io.limits import FileLimits

    Decoder = Callable[[bytes, str, FileLimits], RgbImage]  # of a file's bytes, with its name

MAX_BYTES = 50_000_000  # of what comes from an address or standard input, unless asked otherwise
SHARDS = (".tar", ".parquet")  # files that hold many images
STATE = ".feedseg"  # the folder in which a folder of results says what it holds


@dataclass(frozen=True)
class Failure:
    """An image, or an argument that should lead to some, and why there is no result; the reason names it."""

    input: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """Something that lies beside images and is not read; it is counted by its kind."""

    path: Path
    kind: str  # ".txt", "hidden"


@dataclass(frozen=True)
class Refused:
    """An image that cannot be read here, for a reason that is the same for all of its kind and told once."""

    input: str
    kind: str  # "heic file"
    advice: str  # what to do


@dataclass(frozen=True)
class Given:
    """An argument that stands in a list, and is treated like one on the command line."""

    argument: str


@dataclass(frozen=True)
class Found:
    """An image that was asked for, not read yet; it pickles.

    A source whose images are no files of their own derives from it, with an `open` and a `key`.
    """

    path: Path
    inside: PurePath  # its path below the folder that was given; of a file that was given the name
    home: str  # the name of that folder; of a file that was given the name of the folder it is in

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The bytes that the image is decoded from. Raises FeedsegError if they cannot be read."""
        from feedseg.io.decoders import open_regular

        return open_regular(self.path)

    def decode(self, file: BinaryIO, max_pixels: int) -> RgbImage:
        """The image of the bytes. Raises FeedsegError if it is none, or too large."""
        from feedseg.io.images import decode_image

        return decode_image(file, self.name, max_pixels)

    def load(self, limits: FileLimits, decoder: Decoder | None = None) -> tuple[RgbImage, str]:
        """The image, and the SHA-256 of the very bytes that it was decoded from. Raises FeedsegError.

        Args:
            limits: of the file.
            decoder: decodes the bytes, `feedseg.io.isolated.IsolatedDecoder` for one; None decodes in this process, as
                a source whose `decode` is its own always does.
        """
        with self.open() as file:
            limits.check_bytes(number := file.seek(0, SEEK_END), self.name)
            file.seek(0)
            if decoder is None or type(self).decode is not Found.decode:
                image = self.decode(file, limits.pixels)
                file.seek(0)
                return image, digest(file)
            content = file.read(number)  # and no more, should it grow meanwhile
        return decoder(content, self.name, limits), sha256(content).hexdigest()

    def digest(self) -> str:
        """The SHA-256 of the bytes. Raises FeedsegError if they cannot be read."""
        with self.open() as file:
            return digest(file)

    @property
    def name(self) -> str:
        """What it is called in messages and results."""
        return str(self.path)

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
    def name(self) -> str:
        """See `Found.name`."""
        return self.image.name


@dataclass(frozen=True)
class Search:
    """What is looked for, and what is allowed."""

    endings: tuple[str, ...] = ()  # of the names of results, in lower case: no images to look for
    results: Callable[[Path], Container[str]] = lambda folder: ()  # the names of results that lie in a folder
    allow_urls: bool = False
    max_bytes: int = MAX_BYTES  # of an image from an address or standard input
    videos: bool = False  # whether they are looked for, too
    # Whether every TIFF is a raster that is never held as a whole, or none; None for those that are georeferenced or
    # have more pixels.
    rasters: bool | None = False
    max_pixels: int = 0
    stored: bool = False  # whether shards and object storage are looked into: for runs of very many images


Finding = Found | Failure | Skipped | Refused | Given


class Source(ABC):
    """One kind of argument that leads to images. A registered one is a file of this package that defines `SOURCE`."""

    last: ClassVar[bool] = False  # whether it takes only what no other source takes

    @abstractmethod
    def takes(self, argument: str) -> bool:
        """Whether an argument, which is never empty, is of this kind. May raise OSError."""

    @abstractmethod
    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """The images that an argument leads to, or why there are none. May raise OSError."""


def inside_of(name: str) -> PurePath:
    """A name from elsewhere as a path below a folder, wherever it would lead."""
    parts = [part for part in name.replace("\\", "/").split("/") if part.strip() not in {"", ".", ".."}]
    return PurePath(*(re.sub(r'[\x00-\x1f:*?"<>|]', "_", part) for part in parts or ["image"]))


def resolved(path: Path) -> str:
    """The path with its folder's links resolved: a link to an image is an image of its own."""
    return str(path.absolute().parent.resolve() / path.name)


def digest(file: BinaryIO) -> str:
    """The SHA-256 of what is left of a file, hexadecimal."""
    state = sha256()
    while block := file.read(1 << 20):
        state.update(block)
    return state.hexdigest()


def classified(path: Path, inside: PurePath, home: str, search: Search) -> Finding:
    """What a file is that was not given by its name: an image, or what it is counted as."""
    from feedseg.io.decoders import BY_SUFFIX, readable
    from feedseg.io.sources.rasters import found_raster
    from feedseg.io.sources.videos import found_video, is_video

    lowered = path.name.lower()
    suffix = PurePath(lowered).suffix
    if lowered.startswith("."):
        return Skipped(path, "hidden")
    known = suffix in BY_SUFFIX or is_video(path)
    if (known and lowered.endswith(search.endings)) or path.name in search.results(path.parent):
        return Skipped(path, "of earlier results")
    if search.videos and is_video(path):
        return _regular(path) or found_video(path, inside, home)
    if suffix not in BY_SUFFIX:
        is_shard = search.stored and suffix in SHARDS
        return Given(str(path)) if is_shard else Skipped(path, suffix or "without suffix")
    if BY_SUFFIX[suffix] not in readable():
        return refused(path)
    return _regular(path) or found_raster(path, inside, home, search) or Found(path, inside, home)


def _regular(path: Path) -> Failure | None:
    """Why a path cannot be opened: it is no file of bytes."""
    from feedseg.errors import FeedsegError
    from feedseg.io.decoders import check_regular

    try:
        check_regular(path)
    except FeedsegError as error:
        return Failure(str(path), str(error))
    except OSError as error:
        broken = path.is_symlink() and not path.exists()
        return Failure(str(path), f"{path} {'is a broken link' if broken else f'cannot be read: {error.strerror}'}")
    return None


def refused(path: Path) -> Refused:
    """What to say of a file in a format that cannot be read here."""
    from feedseg.io.decoders import BY_SUFFIX

    suffix = path.suffix.lower()
    return Refused(str(path), f"{suffix} file", BY_SUFFIX[suffix].advice)
