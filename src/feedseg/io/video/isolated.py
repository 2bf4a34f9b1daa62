"""Videos decoded in processes of their own: one that crashes or holds up its decoder fails alone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from feedseg.errors import FeedsegError
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits
from feedseg.io.video.clip import Clip, Frame
from feedseg.io.video.frames import open_video
from feedseg.io.video.sound import extract_sound

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

_ALIVE = 25  # frames that are left out, after which it is said that they were


class IsolatedClip(Clip):
    """A video file whose every frame may take the limits' seconds."""

    def __init__(self, path: Path, decoder: IsolatedDecoder, limits: FileLimits) -> None:
        """Look at it. Raises FeedsegError, see `feedseg.io.video.open_video`, also where that crashes a decoder."""
        self.name = str(path)
        self._path, self._decoder, self._limits = path, decoder, limits
        ((facts, _),) = decoder.stream(describe_video, path, limits)
        try:
            self.time_base, self.rate = Fraction(*facts["time_base"]), Fraction(*facts["rate"])
            self.aspect = None if facts["aspect"] is None else Fraction(*facts["aspect"])
            self._expected = None if facts["expected"] is None else int(facts["expected"])
        except (LookupError, TypeError, ValueError, ZeroDivisionError) as error:
            raise FeedsegError(f"{path} cannot be read as a video: its decoder has said nonsense of it") from error

    @property
    def expected(self) -> int | None:
        """See `Clip.expected`."""
        return self._expected

    def frames(self, every: int = 1, start: int = 0) -> Iterator[Frame]:
        """See `Clip.frames`."""
        found = self._decoder.stream(decode_frames, self._path, self._limits, every=every, start=start)
        for facts, pixels in found:
            if pixels is not None:
                number, ticks = int(facts["number"]), int(facts["ticks"])
                yield Frame(number, ticks, ticks * self.time_base, pixels)
            elif damage := facts.get("damage"):
                self.damage = str(damage)


def isolated_sound(path: Path, target: Path, decoder: IsolatedDecoder, limits: FileLimits) -> Path | None:
    """The file `target`, which has the sound of a video and nothing else; None where there is none."""
    streams = 0
    for facts, _ in decoder.stream(extract_sound, path, limits, target=str(target.absolute())):
        streams = int(facts.get("streams", 0))
    return target if streams else None


def describe_video(file: BinaryIO, name: str, max_pixels: int) -> Iterator[Answer]:
    """What there is to say of a video before a frame is read; see `feedseg.io.decoding`."""
    with open_video(file.name, max_pixels, name) as video:
        facts: dict[str, Any] = {"time_base": _pair(video.time_base), "rate": _pair(video.rate)}
        aspect = None if not video.aspect else _pair(video.aspect)
        yield facts | {"aspect": aspect, "expected": video.expected}, None


def decode_frames(file: BinaryIO, name: str, max_pixels: int, every: int, start: int) -> Iterator[Answer]:
    """The frames of a video, and behind them its damage; see `feedseg.io.decoding`."""
    with open_video(file.name, max_pixels, name) as video:
        left_out = 0
        for frame in video.walk(every, start):
            if frame is not None:
                yield {"number": frame.number, "ticks": frame.ticks}, frame.pixels
                continue
            left_out += 1
            if left_out % _ALIVE == 0:  # for many of them there is more time than for one
                yield {}, None
        yield {"damage": video.damage}, None


def _pair(number: Fraction) -> list[int]:
    return [number.numerator, number.denominator]
