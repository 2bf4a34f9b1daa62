"""The sound of a video, copied into another one, or encoded as AAC where MP4 cannot hold it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from feedseg.io.video.pyav import OPTIONS, load_av

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

STEP = 10  # seconds of sound, after which it is said that it goes on


class Sound:
    """What is heard of a file, on its way into an MP4."""

    def __init__(self, out: Any, path: Path, stack: ExitStack) -> None:
        """`out` is PyAV's container; `stack` closes the file."""
        av = load_av()
        source = stack.enter_context(av.open(str(path.absolute()), options=dict(OPTIONS)))
        self._out, self._errors = out, av.error.FFmpegError
        self._targets: dict[int, tuple[Any, bool]] = {}
        streams = [stream for stream in source.streams.audio if stream.codec_context is not None]
        for stream in streams:
            copied = stream.codec_context.codec.canonical_name in out.supported_codecs  # a decoder's own name says less
            if copied:
                target = out.add_stream_from_template(stream)
            else:
                target = out.add_stream("aac", rate=stream.codec_context.sample_rate)
                layout = stream.codec_context.layout.name
                named = not layout.endswith("channels")  # many AVIs give a number of channels and no arrangement
                target.layout = layout if named else "mono" if stream.codec_context.channels == 1 else "stereo"
            self._targets[stream.index] = target, copied
        self._packets: Iterator[Any] = source.demux(streams) if streams else iter(())
        self.is_over = not streams

    @property
    def streams(self) -> int:
        """How many there are."""
        return len(self._targets)

    def copy(self, until: Fraction | None) -> None:
        """What is heard up to a time in seconds, or all that is left, as far as the file can be read."""
        while not self.is_over:
            try:
                packet = next(self._packets, None)
                if packet is None:
                    self.is_over = True
                    break
                target, copied = self._targets[packet.stream.index]
                decoded = [] if copied else packet.decode()
            except self._errors:  # the pictures tell that the file is damaged
                self.is_over = True
                break
            time = None if packet.dts is None else packet.dts * packet.time_base
            if not copied:
                for frame in decoded:
                    self._out.mux(target.encode(frame))
            elif packet.size and packet.dts is not None:
                packet.stream = target
                self._out.mux(packet)
            if until is not None and time is not None and time > until:
                return
        if until is None:
            for target, copied in self._targets.values():
                if not copied:
                    self._out.mux(target.encode())


def extract_sound(file: BinaryIO, name: str, max_pixels: int, target: str) -> Iterator[Answer]:
    """Write the sound of an open video to a file of its own, and say at last how many streams there are.

    See `feedseg.io.decoding`: a file that was written here holds no surprises for who copies it from there.
    """
    av = load_av()
    with ExitStack() as stack:
        out = stack.enter_context(av.open(target, "w", format="mp4", container_options={"fflags": "+bitexact"}))
        sound, reached = Sound(out, Path(file.name), stack), 0
        while not sound.is_over:
            reached += STEP
            sound.copy(Fraction(reached))
            yield {}, None
        sound.copy(None)
    yield {"streams": sound.streams}, None
