"""Videos decoded in processes of their own: the same frames, and a fault of one is no other's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hostile_decoder
from feedseg.errors import FeedsegError
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits
from feedseg.io.reading import FileReader
from feedseg.io.video import isolated, open_video
from feedseg.io.video.isolated import IsolatedClip
from feedseg.io.video.numbered import NumberedFrames
from feedseg.io.video.overlay import OverlayVideo
from tiny_videos import pictures, write_video

av = pytest.importorskip("av")
LIMITS = FileLimits()


@pytest.fixture(scope="module")
def decoder() -> Iterator[IsolatedDecoder]:
    with IsolatedDecoder() as one:
        yield one


@pytest.mark.parametrize(("every", "start"), [(1, 0), (3, 0), (2, 5)])
def test_it_is_the_same_video(
    decoder: IsolatedDecoder, tmp_path: Path, every: int, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "clip.mp4", pictures(11), [40 * number + number % 2 for number in range(11)])
    found = IsolatedClip(path, decoder, LIMITS)
    with open_video(path) as video:
        facts = ("name", "time_base", "rate", "aspect", "expected", "damage")
        assert [getattr(found, fact) for fact in facts] == [getattr(video, fact) for fact in facts]
        for frame, expected in zip(found.frames(every, start), video.frames(every, start), strict=True):
            assert (frame.number, frame.ticks, frame.time) == (expected.number, expected.ticks, expected.time)
            np.testing.assert_array_equal(frame.pixels, expected.pixels)
            assert not frame.pixels.flags.writeable


def test_damage_is_told_behind_the_frames(decoder: IsolatedDecoder, tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut.mkv", pictures(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = IsolatedClip(path, decoder, LIMITS)
    with open_video(path) as video:
        assert len(list(found.frames())) == len(list(video.frames())) > 5
        assert found.damage == video.damage is not None


def test_its_errors_are_the_same(decoder: IsolatedDecoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.mp4").write_bytes(b"These are words.\n" * 200)
    write_video(Path("large.mp4"), pictures(2))
    for name, limits in (("text.mp4", LIMITS), ("large.mp4", FileLimits(pixels=1000))):
        with pytest.raises(FeedsegError) as here, open_video(name, limits.pixels) as video:
            list(video.frames())
        with pytest.raises(FeedsegError) as there:
            list(IsolatedClip(Path(name), decoder, limits).frames())
        assert str(there.value) == str(here.value)
        assert str(there.value).startswith(name)
    with pytest.raises(FeedsegError, match=r"^none\.mp4 does not exist$"):
        IsolatedClip(Path("none.mp4"), decoder, LIMITS)


@pytest.mark.parametrize(("name", "said"), [("crashes", "its decoder crashed"), ("hangs", r"took more than 1 seconds")])
def test_a_fault_ends_its_video_alone(name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch, hostile_decoder.VIDEOS)
    bad = write_video(tmp_path / f"{name}.mp4", pictures(9), sound=None)
    fine = write_video(tmp_path / "fine.mp4", pictures(9), sound=None)
    with IsolatedDecoder() as decoder:
        clip = IsolatedClip(bad, decoder, LIMITS)
        limits = FileLimits(seconds=1) if name == "hangs" else LIMITS
        monkeypatch.setattr(clip, "_limits", limits)
        with pytest.raises(FeedsegError, match=said):
            list(clip.frames())
        assert len(list(IsolatedClip(fine, decoder, LIMITS).frames())) == 9


def test_many_frames_that_are_left_out_have_more_time_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "_ALIVE", 4)
    path = write_video(tmp_path / "clip.mp4", pictures(9), sound=None)
    with path.open("rb") as file:
        answers = list(isolated.decode_frames(file, "clip", 10**6, 1, 8))
    assert [facts.get("number") for facts, _ in answers] == [None, None, 8, None]


def test_a_numbered_frame_that_crashes_its_decoder_ends_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch)
    files = [tmp_path / f"{number}.png" for number in range(2)]
    for path, width in zip(files, (8, hostile_decoder.CRASHES), strict=True):
        Image.new("RGB", (width, 8)).save(path)
    with IsolatedDecoder() as decoder:
        clip = NumberedFrames("frames", files, FileReader(LIMITS, decoder))
        assert len(list(clip.frames())) == 1
        assert clip.damage is not None
        assert "its decoder crashed" in clip.damage


@pytest.mark.parametrize(("kind", "sound"), [("mp4", "aac"), ("avi", "adpcm_ms"), ("mkv", "mp3"), ("mp4", None)])
def test_sound_that_another_process_has_written_is_heard_as_it_was(
    decoder: IsolatedDecoder, tmp_path: Path, kind: str, sound: str | None
) -> None:
    source = write_video(tmp_path / f"clip.{kind}", pictures(50), sound=sound)
    own = isolated.isolated_sound(source, tmp_path / "sound.mp4", decoder, LIMITS)
    assert (own is None) == (sound is None)
    found = []
    for number, heard in enumerate((source, own)):
        path = tmp_path / f"{number}.mp4"
        with open_video(source) as video, OverlayVideo(path, video, heard) as out:
            for frame in video.frames():
                out.add(frame.pixels, frame.ticks)
        with av.open(str(path)) as container:
            streams = container.streams.audio
            packets = (
                [(one.pts, one.dts, bytes(one)) for one in container.demux(streams) if one.size] if streams else []
            )
            found.append(packets)
    assert found[0] == found[1]
    assert bool(found[0]) == (sound is not None)
