"""A photo that somebody has given the page: its bytes are checked and decoded once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from feedseg.apps.limits import Limits
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits

MIB = 2**20
_NAMELESS = "photo.png"
_LONGEST = 80  # characters of a name


@dataclass(frozen=True)
class Photo:
    """A file of the page's own uploads, and what its owner calls it."""

    path: Path
    name: str

    @classmethod
    def of(cls, path: str | Path, name: str | None) -> Photo:
        """With the name alone, without folders and characters that no file's name has."""
        base = re.sub(r"[\x00-\x1f<>:\"|?*\\/]", "_", re.split(r"[\\/]", name or _NAMELESS)[-1]).strip(". ")
        stem, dot, ending = base.rpartition(".")
        short = f"{stem[:_LONGEST]}{dot}{ending[:8]}" if dot else base[:_LONGEST]
        return cls(Path(path), short if short.strip("_.- ") else _NAMELESS)

    @property
    def stem(self) -> str:
        """How the names of its results begin."""
        return Path(self.name).stem

    def content(self, limits: Limits) -> bytes:
        """Its bytes. Raises FeedsegError where they are too many, or it is gone."""
        try:
            with self.path.open("rb") as file:
                content = file.read(limits.bytes + 1)
        except OSError as error:
            raise FeedsegError("the photo is not kept any more: give it again") from error
        if len(content) > limits.bytes:
            raise FeedsegError(f"{self.name} has more than {limits.bytes / MIB:g} MiB: give a smaller file")
        return content

    def decoded(self, content: bytes, limits: Limits, decoder: IsolatedDecoder) -> RgbImage:
        """Its pixels. Raises FeedsegError where it is no image, crashes its decoder, or they are too many."""
        return decoder(content, self.name, FileLimits(limits.pixels, limits.bytes, limits.decode_seconds))


def digest_of(content: bytes) -> str:
    """What tells one file's bytes from another's."""
    return hashlib.sha256(content).hexdigest()
