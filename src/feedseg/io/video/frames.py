"""The frames of a video, one at a time: upright RGB pixels with the time at which each is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.errors import FeedsegError, first_line, warn_user
from feedseg.io.decoders import check_regular
from feedseg.io.images import MAX_PIXELS
from feedseg.io.video.avi import is_cut_off
from feedseg.io.video.clip import USUAL_RATE, Clip, Frame
from feedseg.io.video.pyav import OPTIONS, load_av

_TRUSTED = {"mov", "matroska", "avi", "asf"}  # formats whose files say how long they are
_TOLERANCE = Fraction(1, 4)  # seconds


class Video(Clip):
    """An opened video file."""

    def __init__(self, container: Any, name: str, max_pixels: int) -> None:
        """`container` is PyAV's. Raises FeedsegError where it has no video, or frames of too many pixels."""
        if not container.streams.video:
            raise FeedsegError(f"{name} has no pictures{_kinds(container)}: give a video that is whole")
        self.name = name
        self.max_pixels = max_pixels
        self._container, self._stream = container, container.streams.video[0]
        context = self._stream.codec_context
        if context is None:
            raise FeedsegError(f"{name} is in a format whose frames cannot be decoded here: convert it to H.264")
        self._check_size(context.width, context.height)
        context.thread_type = "AUTO"
        self._end = Fraction(0)  # seconds, of all that was read
        self.time_base = self._stream.time_base or Fraction(1, 90000)
        self.rate = self._stream.average_rate or self._stream.guessed_rate or USUAL_RATE
        self.aspect = self._stream.sample_aspect_ratio

    @property
    def expected(self) -> int | None:
        """See `Clip.expected`."""
        if self._stream.frames and "mov" in self._container.format.name:  # AVI counts times without a frame, too
            return self._stream.frames
        if self._container.duration and self._is_cut_off is None:
            return max(1, round(self._container.duration * self.rate / 1_000_000))
        return None

    def frames(self, every: int = 1, start: int = 0) -> Iterator[Frame]:
        """See `Clip.frames`."""
        return (frame for frame in self.walk(every, start) if frame is not None)

    def walk(self, every: int = 1, start: int = 0) -> Iterator[Frame | None]:
        """The same, with None for every frame that is left out."""
        step = max(1, round(1 / (self.rate * self.time_base)))
        last: int | None = None
        shape: tuple[int, int] | None = None  # width and height as they are coded
        number = -1
        for number, raw in enumerate(self._decoded()):
            self._check_size(raw.width, raw.height)
            shape = shape or (raw.width, raw.height)
            ticks = raw.pts
            if ticks is None or (last is not None and ticks <= last):  # of damaged files, and streams without times
                ticks = 0 if last is None else last + step
            last = ticks
            if number < start or number % every:
                yield None
                continue
            same = raw.reformat(width=shape[0], height=shape[1], format="rgb24")
            pixels = np.ascontiguousarray(np.rot90(same.to_ndarray(), round(raw.rotation / 90)))
            pixels.flags.writeable = False
            yield Frame(number, ticks, ticks * self.time_base, pixels)
        if number < 0:
            raise FeedsegError(f"{self.name} has no frames{f': {self.damage}' if self.damage else ''}")
        self.damage = self.damage or self._lack()
        if self.damage:
            self.damage = f"{self.name} is damaged behind frame {number} ({self.damage}): what follows is left out"

    def _decoded(self) -> Iterator[Any]:
        """PyAV's frames up to the end, or to the first damage."""
        av = load_av()
        try:
            for packet in self._container.demux([self._stream, *self._container.streams.audio]):
                if packet.pts is not None:
                    self._end = max(self._end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.stream == self._stream:
                    yield from packet.decode()
        except av.error.FFmpegError as error:
            self.damage = first_line(error)

    @cached_property
    def _is_cut_off(self) -> bool | None:
        """See `feedseg.io.video.avi.is_cut_off`: where that can be said, what an AVI says of its length is nothing."""
        if "avi" not in self._container.format.name:
            return None
        with Path(self._container.name).open("rb") as file:
            return is_cut_off(file)

    def _lack(self) -> str | None:
        """What says that a file was cut off which could be read up to its end: that it should last longer."""
        if (is_cut := self._is_cut_off) is not None:
            return "its recorder has not finished it, and its last frame is not whole" if is_cut else None
        if self._container.duration is None or not {*self._container.format.name.split(",")} & _TRUSTED:
            return None
        promised = Fraction(self._container.duration + (self._container.start_time or 0), 1_000_000)
        if "avi" in self._container.format.name:  # FFmpeg shortens an AVI's time to its bytes; the header's count stays
            promised = max(promised, self._stream.frames / self.rate)
        if promised - self._end <= _TOLERANCE:
            return None
        return f"it ends at {float(self._end):.1f} s of {float(promised):.1f} s"

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise FeedsegError(
                f"{self.name} has frames of {width} × {height} pixels, and the limit is {self.max_pixels / 1e6:g} "
                "million: raise it by --max-pixels, or in Python by max_pixels=…"
            )


@contextmanager
def open_video(path: str | Path, max_pixels: int = MAX_PIXELS, name: str | None = None) -> Iterator[Video]:
    """A video whose frames can be read; `name` is what it is called in messages, where that is not its path.

    Raises:
        FeedsegError: it cannot be opened, is none or has frames of more than `max_pixels`; PyAV is not installed.
    """
    av, path = load_av(), Path(path)
    name = name or str(path)
    try:
        check_regular(path)
        container = av.open(str(path.absolute()), options=dict(OPTIONS))
    except FileNotFoundError as error:
        raise FeedsegError(f"{name} does not exist") from error
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        if getattr(error, "errno", None) == EINVAL:  # what FFmpeg says of formats that are not allowed
            reason = "it is in none of their formats"
        raise FeedsegError(f"{name} cannot be read as a video: {reason}") from error
    with container:
        yield Video(container, name, max_pixels)


def frames(path: str | Path, every: int = 1, max_pixels: int = MAX_PIXELS) -> Iterator[Frame]:
    """The frames of a video, or every n-th of them, read one at a time.

    Of a damaged file come the frames up to the damage, and a warning.

    Raises:
        FeedsegError: it is no video, has no frames or too large ones; PyAV is not installed.
    """
    if every < 1:
        raise FeedsegError(f"every is 1 for all frames, 2 for every second one and so on, not {every}")
    with open_video(path, max_pixels) as video:
        yield from video.frames(every)
        if video.damage:
            warn_user(video.damage)


def _kinds(container: Any) -> str:
    kinds = " and ".join(sorted({stream.type for stream in container.streams}))
    return f", only {kinds}" if kinds else ""
