"""Videos among what is found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from feedseg.io.sources.base import Found, Refused
from feedseg.io.video.library import ADVICE, SUFFIXES, is_installed


@dataclass(frozen=True)
class FoundVideo(Found):
    """A video that was asked for; its frames are read one at a time, see `feedseg.io.video`."""


def is_video(path: PurePath) -> bool:
    """Whether a file is called like a video."""
    return path.suffix.lower() in SUFFIXES


def found_video(path: Path, inside: PurePath, home: str) -> FoundVideo | Refused:
    """A video, or what to say where PyAV is not installed."""
    if not is_installed():
        return Refused(str(path), f"{path.suffix.lower()} file", ADVICE)
    return FoundVideo(path, inside, home)
