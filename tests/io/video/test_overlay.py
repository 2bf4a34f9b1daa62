"""The overlay's other paths: pictures as MPEG-4 where there is no H.264, sound as AAC where MP4 cannot hold it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from feedseg.io.video.frames import open_video
from tiny_videos import pictures, write_video

av = pytest.importorskip("av")

from feedseg.io.video import overlay as written  # noqa: E402


def write_overlay(source: Path, target: Path) -> None:
    with open_video(source) as video, written.OverlayVideo(target, video, source) as out:
        for frame in video.frames():
            out.add(frame.pixels, frame.ticks)


def shown(path: Path) -> tuple[str, list[str], np.ndarray, list[float]]:
    """The codecs of images and sound, the images, and their times."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        found = [(frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(stream)]
        sounds = [sound.codec_context.name for sound in container.streams.audio]
        return stream.codec_context.name, sounds, np.stack([image for image, _ in found]), [at for _, at in found]


def tone(path: Path) -> tuple[float, float]:
    """How long the sound is, in seconds, and its strongest frequency."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in container.decode(stream)])
        rate = stream.codec_context.sample_rate
    return len(samples) / rate, float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def test_without_h264_it_is_mpeg4_with_the_same_images_and_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_video(tmp_path / "clip.mp4", drawn := pictures(12), times=[40 * n + n % 3 for n in range(12)])
    real = av
    names = real.codecs_available - {"libx264"}
    monkeypatch.setattr(written, "load_av", lambda: SimpleNamespace(**{**vars(real), "codecs_available": names}))
    write_overlay(source, tmp_path / "out.mp4")
    codec, sounds, images, times = shown(tmp_path / "out.mp4")
    assert (codec, sounds) == ("mpeg4", ["aac"])
    assert images.shape == (12, 48, 64, 3)
    assert abs(images.astype(float) - np.stack(drawn)).mean() < 12
    assert times == pytest.approx(shown(source)[3], abs=1e-3)


@pytest.mark.parametrize(("kind", "sound", "kept"), [("avi", "adpcm_ms", "aac"), ("mkv", "mp3", "mp3float")])
def test_sound_that_mp4_cannot_hold_becomes_aac_and_other_is_copied(
    tmp_path: Path, kind: str, sound: str, kept: str
) -> None:
    source = write_video(tmp_path / f"clip.{kind}", pictures(50), sound=sound)
    write_overlay(source, tmp_path / "out.mp4")
    _, sounds, images, _ = shown(tmp_path / "out.mp4")
    assert sounds == [kept]
    assert len(images) == 50
    (before, pitch), (after, heard) = tone(source), tone(tmp_path / "out.mp4")
    assert after == pytest.approx(before, abs=0.2)
    assert pitch == pytest.approx(440, rel=0.02)
    assert heard == pytest.approx(440, rel=0.02)
