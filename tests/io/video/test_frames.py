"""Videos in, frames out: times, turns, sizes, damage; and what is no video."""

from __future__ import annotations

import warnings
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.video import frames, open_video, pyav
from tiny_videos import pictures, write_video

av = pytest.importorskip("av")
EXACT: dict[str, Any] = {"codec": "ffv1", "pix_fmt": "bgr0"}  # loses nothing


def test_every_frame_comes_with_its_time(tmp_path: Path) -> None:
    drawn, times = pictures(6), [0, 40, 90, 91, 300, 1300]
    path = write_video(tmp_path / "clip.mkv", drawn, times, **EXACT)
    found = list(frames(path))
    assert [frame.number for frame in found] == [0, 1, 2, 3, 4, 5]
    assert [frame.time for frame in found] == [Fraction(time, 1000) for time in times]
    for frame, pixels in zip(found, drawn, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
    assert [frame.number for frame in frames(path, every=4)] == [0, 4]


@pytest.mark.parametrize(("turn", "quarters"), [(90, 1), (-90, 3), (180, 2)])
def test_frames_are_turned_upright(tmp_path: Path, turn: int, quarters: int) -> None:
    (drawn,) = pictures(1)
    path = write_video(tmp_path / "clip.mp4", [drawn] * 2, codec="libx264", options={"crf": "1"}, rotation=turn)
    pixels = next(frames(path)).pixels
    expected = np.rot90(drawn, quarters)  # counterclockwise, as FFmpeg counts
    assert pixels.shape == (64, 48, 3) if quarters % 2 else (48, 64, 3)
    assert np.abs(pixels.astype(int) - expected).mean() < 12
    assert np.abs(pixels.astype(int) - np.rot90(expected, 2)).mean() > 25


def test_ten_bits_become_eight(tmp_path: Path) -> None:
    drawn = pictures(2)
    path = write_video(tmp_path / "clip.mkv", drawn, codec="ffv1", pix_fmt="yuv444p10le", sound=None)
    pixels = next(frames(path)).pixels
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - drawn[0]).mean() < 4


def test_a_frame_of_another_size_is_brought_to_the_first_ones(tmp_path: Path) -> None:
    for name, size in (("a", (64, 48)), ("b", (96, 80))):
        write_video(tmp_path / f"{name}.h264", pictures(3, size), codec="libx264", sound=None)
    path = tmp_path / "both.h264"
    path.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    found = list(frames(path))
    assert len(found) == 6
    assert {frame.pixels.shape for frame in found} == {(48, 64, 3)}
    assert all(later.ticks > earlier.ticks for earlier, later in pairwise(found))


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_a_file_that_is_cut_off_gives_the_frames_up_to_there(tmp_path: Path, kind: str) -> None:
    whole = write_video(tmp_path / f"whole.{kind}", pictures(40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(frames(whole))) == 40
    path = tmp_path / f"cut.{kind}"
    content = whole.read_bytes()
    end = content.find(b"idx1") if kind == "avi" else len(content)  # an AVI's index, the last of it, is long
    path.write_bytes(content[: end * 2 // 3])
    with pytest.warns(UserWarning, match=r"cut\.\w+ is damaged behind frame \d+ .*left out"):
        found = list(frames(path))
    assert 5 < len(found) < 40


class Pipe:
    """Takes bytes, and never goes back."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, block: bytes) -> int:
        self.content += block
        return len(block)


def without_counts(content: bytes) -> bytes:
    """An AVI's bytes as they are before its recorder goes back to write what it has counted."""
    found = bytearray(content)
    for kind, offset in ((b"RIFF", 4), (b"movi", -4), (b"avih", 8 + 16), (b"vids", 32)):
        place = found.index(kind) + offset
        found[place : place + 4] = bytes(4)
    return bytes(found)


def test_an_avi_that_no_recorder_has_finished_is_told(tmp_path: Path) -> None:
    content = without_counts(write_video(tmp_path / "whole.avi", pictures(20), sound=None).read_bytes())
    path = bad("unfinished.avi", content[: content.index(b"idx1") - 20], tmp_path)  # in the middle of the last frame
    with pytest.warns(UserWarning, match=r"unfinished\.avi is damaged behind frame \d+ \(its recorder has not"):
        assert len(list(frames(path))) >= 19


def test_an_avi_that_came_through_a_pipe_is_whole(tmp_path: Path) -> None:
    pipe = Pipe()
    with av.open(pipe, "w", format="avi") as out:
        video = out.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for pixels in pictures(20):
            out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(video.encode())
    content = bytes(pipe.content)
    place = content.index(b"avih") + 8 + 16
    assert content[place : place + 4] == bytes(4)  # it counts none
    path = bad("piped.avi", content, tmp_path)
    with open_video(path) as video:
        assert video.expected is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(frames(path))) == 20


def bad(name: str, content: bytes, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        block = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
        block.sample_rate = 16000
        out.mux(stream.encode(block))
        out.mux(stream.encode())
    whole = write_video(tmp_path / "whole.mp4", pictures(9)).read_bytes()
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'whole.mp4'}\n#EXT-X-ENDLIST\n".encode()
    cases = {
        sound: "has no pictures, only audio",
        bad("text.mp4", b"These are words.\n" * 200, tmp_path): "cannot be read as a video",
        bad("empty.mp4", b"", tmp_path): "cannot be read as a video",
        bad("head.mp4", whole[:60], tmp_path): "has no pictures: give a video that is whole",
        bad("list.mp4", playlist, tmp_path): "cannot be read as a video",
        tmp_path: "is a folder",
        tmp_path / "none.mp4": "does not exist",
    }
    for path, reason in cases.items():
        with pytest.raises(FeedsegError, match=reason) as caught:
            list(frames(path))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    none = write_video(tmp_path / "none.mkv", [], sound="aac")
    with pytest.raises(FeedsegError, match=r"has no frames|cannot be read|no pictures"):
        list(frames(none))
    with pytest.raises(FeedsegError, match=r"64 × 48 pixels, and the limit is 0\.001 million"):
        list(frames(tmp_path / "whole.mp4", max_pixels=1000))
    with pytest.raises(FeedsegError, match="every is 1"):
        next(frames(tmp_path / "whole.mp4", every=0))
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    with pytest.raises(FeedsegError, match=r"pip install 'feedseg\[video\]'"), open_video(tmp_path / "whole.mp4"):
        pass
