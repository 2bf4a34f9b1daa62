"""Images that are the frames of a video, in the order of the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.reading import FileReader
from feedseg.io.video.clip import USUAL_RATE, Clip, Frame

_NUMBER = re.compile(r"%(0\d+)?d")


def is_pattern(text: str) -> bool:
    """Whether a path's last part has one place for a number, as in frame-%06d.png."""
    return len(_NUMBER.findall(Path(text).name)) == 1


def numbered_files(pattern: Path) -> list[Path]:
    """The files that fit a pattern, by their number. Raises OSError where the folder cannot be read."""
    place = _NUMBER.search(pattern.name)
    if place is None:
        return []
    digits = rf"\d{{{int(place[1])},}}" if place[1] else r"\d+"
    before, behind = pattern.name[: place.start()], pattern.name[place.end() :]
    fitting = re.compile(rf"{re.escape(before)}({digits}){re.escape(behind)}", re.ASCII)
    found = [(int(fit[1]), path) for path in pattern.parent.iterdir() if (fit := fitting.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


class NumberedFrames(Clip):
    """Images, shown 25 a second."""

    time_base = 1 / USUAL_RATE
    rate = USUAL_RATE

    def __init__(self, name: str, files: Sequence[Path], reader: FileReader) -> None:
        self.name = name
        self._files, self._reader = files, reader

    @property
    def expected(self) -> int:
        """See `Clip.expected`."""
        return len(self._files)

    def frames(self, every: int = 1, start: int = 0) -> Iterator[Frame]:
        """See `Clip.frames`."""
        first: tuple[int, int] | None = None
        for number, path in enumerate(self._files):
            if first is not None and (number < start or number % every):
                continue
            try:
                pixels = self._reader.image(path).pixels
            except FeedsegError as error:
                if first is None:
                    raise
                self.damage = f"{self.name} is damaged behind frame {number - 1} ({error}): what follows is left out"
                return
            height, width = pixels.shape[:2]
            first = first or (width, height)
            if (width, height) != first:
                pixels = np.asarray(Image.fromarray(pixels).resize(first, Image.Resampling.BICUBIC))
            if number >= start and number % every == 0:
                yield Frame(number, number, Fraction(number) / self.rate, pixels)
