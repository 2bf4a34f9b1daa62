"""Label maps as a video that loses nothing: FFV1 in Matroska, a grey value for every class."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from feedseg.errors import FeedsegError, first_line
from feedseg.io.video.pyav import load_av

SUFFIX = ".labels.mkv"
_TICK = Fraction(1, 1000)  # Matroska counts milliseconds


class LabelsVideo:
    """Writes label maps of one size into a file: grey with 8 bits, or with 16 for more than 256 classes.

    Every frame can be decoded alone, so that files can be joined without being encoded again.
    """

    def __init__(self, path: Path, after: int = -1) -> None:
        """A file to be made; its first frame is later than `after`, in milliseconds."""
        av = load_av()
        self._av = av
        self._container = av.open(str(path), "w", format="matroska", container_options={"fflags": "+bitexact"})
        self._stream = None
        self.last = after  # milliseconds of the last frame

    def __enter__(self) -> LabelsVideo:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None and self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def add(self, labels: np.ndarray, time: Fraction) -> None:
        """The next labels, (height, width) uint8 or uint16, shown from a time in seconds on."""
        form = "gray" if labels.dtype == np.uint8 else "gray16le"
        if self._stream is None:
            self._stream = self._container.add_stream("ffv1", rate=1000, options={"level": "3", "g": "1"})
            self._stream.height, self._stream.width = labels.shape
            self._stream.pix_fmt = form
            self._stream.codec_context.time_base = _TICK
            self._stream.codec_context.thread_count = 1  # slices, and so bytes, do not depend on the machine
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(labels), format=form)
        self.last = max(round(time / _TICK), self.last + 1)
        frame.pts, frame.time_base = self.last, _TICK
        self._container.mux(self._stream.encode(frame))


def join_labels(parts: Iterable[Path], path: Path) -> None:
    """One file with the frames of several, as they are."""
    av = load_av()
    with ExitStack() as stack:
        out = stack.enter_context(av.open(str(path), "w", format="matroska", container_options={"fflags": "+bitexact"}))
        target = None
        for part in parts:
            with av.open(str(part)) as source:
                stream = source.streams.video[0]
                target = target or out.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.size:
                        packet.stream = target
                        out.mux(packet)


def read_labels(path: str | Path) -> Generator[tuple[float, np.ndarray], None, None]:
    """The seconds and the labels, (height, width) uint8 or uint16, of every frame of such a file.

    Raises:
        FeedsegError: it cannot be read; PyAV is not installed.
    """
    av = load_av()
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield float(frame.time), frame.to_ndarray()
    except (
        av.error.FFmpegError,
        OSError,
        ValueError,
        TypeError,
        IndexError,
    ) as error:  # it has no such stream or times
        raise FeedsegError(f"{path} cannot be read as a video of labels: {first_line(error)}") from error
