"""Numbered frames, given as a pattern: frames/%06d.png."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from feedseg.io.sources.base import Failure, Finding, Refused, Search, Source
from feedseg.io.sources.videos import FoundFrames
from feedseg.io.video.numbered import is_pattern, numbered_files
from feedseg.io.video.pyav import ADVICE, is_installed


class Frames(Source):
    """Images whose numbers are in their names, taken as one video."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return is_pattern(argument) and "://" not in argument and not Path(argument).exists()

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        path = Path(argument)
        if not search.videos or not path.parent.is_dir() or not numbered_files(path):
            yield Failure(argument, f"{argument} matches no images: %06d stands for a number of six digits, %d for any")
        elif not is_installed():
            yield Refused(argument, "video of frames", ADVICE)
        else:
            folder = path.absolute().parent.resolve()
            yield FoundFrames(path, PurePath(folder.name or "frames"), folder.parent.name)


SOURCE = Frames()
