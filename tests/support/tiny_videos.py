"""Small videos, drawn frame by frame, with a tone as their sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

TICK = Fraction(1, 1000)
RATE = 16000  # samples of the tone a second


def pictures(count: int, size: tuple[int, int] = (64, 48), seed: int = 0) -> list[np.ndarray]:
    """Frames (height, width, 3) in which a bright square wanders over a gradient."""
    width, height = size
    base = np.indices((height, width)).sum(0)[..., None] * np.array([2, 1, 3]) % 256
    frames = []
    for number in range(count):
        frame = base.astype(np.uint8)
        left, top = (3 * number + seed) % (width - 16), (2 * number) % (height - 16)
        frame[top : top + 16, left : left + 16] = (230, 40 + number % 100, 60)
        frames.append(frame)
    return frames


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    times: Sequence[int] | None = None,
    *,
    codec: str = "mpeg4",
    pix_fmt: str = "yuv420p",
    sound: str | None = "aac",
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """A video of frames that are shown at times in milliseconds, every 40 without, and a tone of the same length."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    times = times or [40 * number for number in range(len(frames))]
    # The index comes first, so that a file that is cut off can be read.
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as out:
        video: Any = out.add_stream(codec, rate=25, options=options or {})  # pyright: ignore[reportArgumentType]
        height, width = frames[0].shape[:2] if len(frames) else (48, 64)
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = TICK
        video.codec_context.max_b_frames = 0
        if rotation:
            video.set_display_rotation(rotation)
        audio: Any = out.add_stream(sound, rate=RATE) if sound else None  # pyright: ignore[reportArgumentType]
        if audio is not None:
            audio.layout = "mono"
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, TICK
            out.mux(video.encode(frame))
        out.mux(video.encode())
        if audio is not None:
            samples = RATE * ((times[-1] if times else 0) + 40) // 1000
            tone = (np.sin(np.arange(samples) * 2 * np.pi * 440 / RATE) * 8000).astype(np.int16)[None]
            block = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            block.sample_rate, block.pts = RATE, 0
            out.mux(audio.encode(block))
            out.mux(audio.encode())
    return path
