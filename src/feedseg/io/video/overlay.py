"""A video under its classes' colours, with the times and the sound that it had."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from feedseg.io.video.clip import Clip
from feedseg.io.video.pyav import load_av
from feedseg.io.video.sound import Sound

SUFFIX = ".overlay.mp4"
_FINEST = 65535  # ticks a second, of MPEG-4 part 2


class OverlayVideo:
    """Writes frames as H.264, or as MPEG-4 where that is not built in, and copies the sound of a video."""

    def __init__(self, path: Path, like: Clip, sound: Path | None) -> None:
        """A file with the times and pixels of a video, and the sound of the file `sound`."""
        self._av = load_av()
        self._like = like
        self._stack = ExitStack()
        options = {"fflags": "+bitexact", "movflags": "+faststart"}
        self._out = self._stack.enter_context(self._av.open(str(path), "w", format="mp4", container_options=options))
        self._video: Any = None
        self._sound = Sound(self._out, sound, self._stack) if sound else None

    def __enter__(self) -> OverlayVideo:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._stack:
            if kind is None and self._video is not None:
                self._out.mux(self._video.encode())
                if self._sound:
                    self._sound.copy(None)

    def add(self, pixels: np.ndarray, ticks: int) -> None:
        """The next frame, (height, width, 3) uint8, shown from a time in the video's ticks on."""
        height, width = pixels.shape[:2]
        # Players want pairs of rows and columns: a last odd one is repeated.
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._video is None:
            self._video = self._stream(even.shape[1], even.shape[0])
        frame = self._av.VideoFrame.from_ndarray(even, format="rgb24")
        frame.pts, frame.time_base = ticks, self._like.time_base
        for packet in self._video.encode(frame):
            self._out.mux(packet)
        if self._sound:
            self._sound.copy(ticks * self._like.time_base)

    def _stream(self, width: int, height: int) -> Any:
        names = self._av.codecs_available
        if "libx264" in names:
            # Without frames that refer to later ones every time is kept as it is.
            stream = self._out.add_stream("libx264", options={"crf": "20", "preset": "veryfast", "bf": "0"})
            stream.codec_context.time_base = self._like.time_base
        else:
            stream = self._out.add_stream("mpeg4")
            stream.bit_rate = int(width * height * 4)
            coarse = self._like.time_base
            stream.codec_context.time_base = coarse if coarse.denominator <= _FINEST else Fraction(1, 60000)
        stream.codec_context.framerate = self._like.rate
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if self._like.aspect:
            stream.codec_context.sample_aspect_ratio = self._like.aspect
        return stream
