"""Videos among what is found."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePath

from feedseg.io.decoders import open_regular
from feedseg.io.reading import FileReader
from feedseg.io.sources.base import Found, Refused, digest
from feedseg.io.video import Clip, open_video
from feedseg.io.video.isolated import IsolatedClip, isolated_sound
from feedseg.io.video.numbered import NumberedFrames, numbered_files
from feedseg.io.video.pyav import ADVICE, SUFFIXES, is_installed


@dataclass(frozen=True)
class FoundVideo(Found):
    """A video that was asked for; its frames are read one at a time."""

    def clip(self, reader: FileReader) -> AbstractContextManager[Clip]:
        """The video, opened. Raises FeedsegError, see `feedseg.io.video.open_video`."""
        if reader.decoder is not None:
            return nullcontext(IsolatedClip(self.path, reader.decoder, reader.limits))
        return open_video(self.path, reader.limits.pixels)

    def sound(self, reader: FileReader, scratch: Path) -> Path | None:
        """A file whose sound belongs to it: itself, or `scratch`, where another process has written it alone."""
        if reader.decoder is None:
            return self.path
        return isolated_sound(self.path, scratch, reader.decoder, reader.limits)


@dataclass(frozen=True)
class FoundFrames(FoundVideo):
    """Numbered images that are a video together; the path is a pattern."""

    def clip(self, reader: FileReader) -> AbstractContextManager[Clip]:
        """See `FoundVideo.clip`."""
        return nullcontext(NumberedFrames(self.name, numbered_files(self.path), reader))

    def digest(self) -> str:
        """The SHA-256 of the names and contents of all frames. Raises FeedsegError if one cannot be read."""
        state = sha256()
        for path in numbered_files(self.path):
            with open_regular(path) as file:
                state.update(f"{path.name}\0{digest(file)}\0".encode(errors="surrogateescape"))
        return state.hexdigest()

    def sound(self, reader: FileReader, scratch: Path) -> None:
        """They have none."""


def is_video(path: PurePath) -> bool:
    """Whether a file is called like a video."""
    return path.suffix.lower() in SUFFIXES


def found_video(path: Path, inside: PurePath, home: str) -> FoundVideo | Refused:
    """A video, or what to say where PyAV is not installed."""
    if not is_installed():
        return Refused(str(path), f"{path.suffix.lower()} file", ADVICE)
    return FoundVideo(path, inside, home)
