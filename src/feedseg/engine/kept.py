"""What a folder of results holds of one image, and whether it is still as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from feedseg.errors import FeedsegError
from feedseg.io.results import Record
from feedseg.io.sources.base import Found

Stamp = tuple[int, str]  # a file's size in bytes and its SHA-256
RECORD = "json"  # the format that says all of a result but its arrays


def stamp(path: Path) -> Stamp:
    """A file's size and digest. Raises OSError if it cannot be read."""
    state, size = sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
            size += len(block)
    return size, state.hexdigest()


def is_as_written(path: Path, written: Stamp) -> bool:
    """Whether a file is there and holds what it did."""
    try:
        return path.stat().st_size == written[0] and stamp(path) == written
    except OSError:
        return False


def check_below(path: object) -> None:
    """Raises TypeError or ValueError where this is no path below a folder, with slashes."""
    if not isinstance(path, str):
        raise TypeError(f"{path!r} is no path")
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ValueError(f"{path[:80]!r} is not below the folder")


@dataclass(frozen=True)
class Kept:
    """An image's results. Paths are below the folder, with slashes."""

    stem: str  # what its files begin with
    image: str | None = None  # the SHA-256 of the image's bytes; None where the results are another run's
    outputs: Mapping[str, Stamp] = field(default_factory=dict)  # all files
    files: Mapping[str, str] = field(default_factory=dict)  # by format
    about: Mapping[str, Any] | None = None  # where no file says it

    @property
    def record(self) -> str | None:
        """The file that says all about the result."""
        return self.files.get(RECORD)

    def stands(self, folder: Path, image: Found) -> bool:
        """Whether the results are all there, as they were written, and of the image as it is now."""
        if self.image is None or not all(is_as_written(folder / path, one) for path, one in self.outputs.items()):
            return False
        try:
            return image.digest() == self.image
        except (FeedsegError, OSError):  # why it cannot be read is told when it is read for good
            return False

    def told(self, folder: Path) -> dict[str, Any]:
        """All about the result, with its files' paths."""
        about = self.about
        if about is None:
            about = Record.read(folder / str(self.record)).content
        return {**about, "files": {name: str(folder / path) for name, path in self.files.items()}}

    def to_json(self) -> dict[str, Any]:
        """As a journal's line has it."""
        content = {name: value for name, value in vars(self).items() if value is not None}
        return content | {"outputs": {path: list(one) for path, one in self.outputs.items()}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Kept:
        """The same. Raises TypeError, ValueError or KeyError where it is none."""
        outputs = {path: (int(size), str(digest)) for path, (size, digest) in content["outputs"].items()}
        files = dict(content.get("files", {}))
        image, about = content.get("image"), content.get("about")
        for path in (content["stem"], *outputs, *files.values()):
            check_below(path)
        if not isinstance(image, str | None) or not isinstance(about, dict | None):
            raise TypeError("an image is told by a digest, and its result by an object")
        return cls(content["stem"], image, outputs, files, about)
