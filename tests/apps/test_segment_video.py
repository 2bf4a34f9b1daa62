"""`feedseg segment clip.mp4` from end to end, on a tiny random model."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.decode.steady import Steady
from feedseg.engine import video, video_parts
from feedseg.io.video import frames, pyav
from feedseg.io.video.labels import read_labels
from tiny_videos import pictures, write_video

av = pytest.importorskip("av")
Run = Callable[..., int]
FILES = ["clip.frames.json", "clip.labels.mkv", "clip.overlay.mp4"]


@pytest.fixture
def segmenter(model: Path) -> Segmenter:
    settings = Settings(short_side=32, window=32, stride=16, logit_scale=40.0)
    return Segmenter.load(model, host="clip", device="cpu", settings=settings)


def labels_of(path: str) -> list[np.ndarray]:
    return [labels for _, labels in read_labels(path)]


def packets(path: str | Path) -> list[bytes]:
    with av.open(str(path)) as opened:
        return [bytes(packet) for packet in opened.demux(audio=0)]


def times(path: str | Path) -> list[float]:
    with av.open(str(path)) as opened:
        return [float(frame.time) for frame in opened.decode(video=0)]


def test_labels_as_numbered_pngs(segment: Run, files) -> None:
    write_video(Path("clip.mp4"), pictures(5), [0, 40, 80, 120, 160])
    assert segment("clip.mp4", "--no-background", "--every", "2", "--pngs", "--out", "out") == 0
    assert files("out") == sorted([*FILES, "clip.labels.zip"])
    about = json.loads(Path("out/clip.frames.json").read_text("utf-8"))
    with ZipFile("out/clip.labels.zip") as file:
        assert file.testzip() is None
        assert file.namelist() == ["000000.png", "000002.png", "000004.png"]
        for name, labels in zip(file.namelist(), labels_of("out/clip.labels.mkv"), strict=True):
            with Image.open(io.BytesIO(file.read(name))) as image:
                assert image.mode == "P"
                np.testing.assert_array_equal(np.array(image), labels)
                assert "#" + bytes((image.getpalette() or [])[:3]).hex() == about["classes"][0]["colour"]
    before = Path("out/clip.labels.zip").read_bytes()
    assert segment("clip.mp4", "--no-background", "--every", "2", "--pngs", "--out", "out", "--overwrite") == 0
    assert Path("out/clip.labels.zip").read_bytes() == before


def test_labels_times_and_sound(segment: Run, files, segmenter: Segmenter, capsys) -> None:
    shown = [0, 40, 85, 200, 210, 700]
    write_video(Path("clip.mp4"), pictures(6), shown)
    assert segment("clip.mp4", "--no-background", "--out", "out") == 0
    assert files("out") == FILES
    assert "1 video → out" in capsys.readouterr().out
    results = segmenter([frame.pixels for frame in frames("clip.mp4")], Vocabulary([("cat", "kitten"), "sofa", "rug"]))
    found, about = labels_of("out/clip.labels.mkv"), json.loads(Path("out/clip.frames.json").read_text("utf-8"))
    for labels, one, result in zip(found, about["frames"], results, strict=True):
        np.testing.assert_array_equal(labels, result.labels)
        assert one["pixels"] == [*result.pixels.values()]
    for path in ("out/clip.overlay.mp4", "out/clip.labels.mkv"):
        assert times(path) == pytest.approx([time / 1000 for time in shown], abs=1e-4)
    assert [one["time"] for one in about["frames"]] == pytest.approx([time / 1000 for time in shown])
    assert packets("out/clip.overlay.mp4") == packets("clip.mp4") != []
    before = Path("out/clip.overlay.mp4").stat().st_mtime_ns
    assert segment("clip.mp4", "--no-background", "--out", "out") == 0
    assert Path("out/clip.overlay.mp4").stat().st_mtime_ns == before


def test_every_nth_frame_is_segmented_and_held(segment: Run) -> None:
    write_video(Path("clip.mp4"), pictures(7))
    assert segment("clip.mp4", "--out", "all") == 0
    assert segment("clip.mp4", "--every", 3, "--out", "third") == 0
    for found, expected in zip(labels_of("third/clip.labels.mkv"), labels_of("all/clip.labels.mkv")[::3], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(times("third/clip.overlay.mp4")) == 7


def test_steadied_labels_are_those_of_averaged_scores(segment: Run, segmenter: Segmenter) -> None:
    write_video(Path("clip.mp4"), pictures(5), sound=None)
    assert segment("clip.mp4", "--no-background", "--steady", 0.3, "--out", "out") == 0
    read, words = [frame.pixels for frame in frames("clip.mp4")], Vocabulary([("cat", "kitten"), "sofa", "rug"])
    results = segmenter.segment_many(read, words, refiners=[Steady(0.3)])
    for labels, result in zip(labels_of("out/clip.labels.mkv"), results, strict=True):
        np.testing.assert_array_equal(labels, result.labels)


@pytest.mark.parametrize("options", [(), ("--steady", 0.5, "--every", 2)])
def test_what_was_interrupted_ends_as_if_it_had_not_been(
    segment: Run, files, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...]
) -> None:
    monkeypatch.setattr(video_parts, "LENGTH", 2)
    write_video(Path("clip.mp4"), pictures(11))
    assert segment("clip.mp4", *options, "--out", "whole") == 0
    computed = []
    original = video.SegmentVideos._results

    def counted(*arguments, stop: int):
        for number, one in enumerate(original(*arguments)):
            if number == stop:
                raise KeyboardInterrupt
            computed.append(one[0])
            yield one

    for stop in (3, 1, 99):  # behind a part, in the first frame of the next, never
        monkeypatch.setattr(
            video.SegmentVideos, "_results", lambda *arguments, stop=stop: counted(*arguments, stop=stop)
        )
        assert segment("clip.mp4", *options, "--out", "out") == (0 if stop == 99 else 130)
    assert files("out") == files("whole") == FILES
    for name in FILES:
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes(), name
    step = 2 if options else 1
    assert [computed.count(number) for number in range(0, 11, step)][:2] == [1, 1]  # the finished part was kept
    assert not Path("out/.feedseg/videos").exists()


def test_a_bad_video_ends_nothing_else(segment: Run, draw, files, capsys) -> None:
    draw("in/photo.png")
    whole = write_video(Path("in/cut.mp4"), pictures(40)).read_bytes()
    Path("in/cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    write_video(Path("in/fine.mp4"), pictures(2, (51, 37)), codec="mpeg4", sound=None)
    Path("in/text.mp4").write_text("These are words.\n" * 100)
    assert segment("in", "--out", "out") == 1
    err = capsys.readouterr().err
    assert "text.mp4 cannot be read as a video" in err
    assert "cut.mp4 is damaged behind frame" in err
    assert "Traceback" not in err
    expected = [f"{stem}.{end}" for stem in ("cut", "fine") for end in ("frames.json", "labels.mkv", "overlay.mp4")]
    assert files("out") == sorted([*expected, *(f"photo.{e}" for e in ("labels.json", "labels.png", "overlay.jpg"))])
    assert labels_of("out/fine.labels.mkv")[0].shape == (37, 51)
    assert segment("in", "--out", "out") == 1  # it is still damaged


def test_other_peoples_files_stay(segment: Run, files) -> None:
    write_video(Path("clip.mp4"), pictures(2))
    Path("out").mkdir()
    Path("out/clip.overlay.mp4").write_text("mine")
    assert segment("clip.mp4", "--out", "out") == 0
    assert Path("out/clip.overlay.mp4").read_text() == "mine"
    assert len(files("out")) == 4


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--format", "yolo"), "a video is saved as labels, overlay, json, not as yolo"),
        (("--format", "coco"), "not as coco"),
        (("--only-with", "cat"), "--only-with and --only-without choose images"),
        (("--max-pixels", "1K"), "the limit is"),
    ],
)
def test_what_a_video_cannot_be_is_said(segment: Run, capsys, options: tuple[str, str], reason: str) -> None:
    write_video(Path("clip.mp4"), pictures(2))
    assert segment("clip.mp4", *options, "--out", "out") == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("steady", ["0", "2", "-1"])
def test_a_wrong_average_is_refused(segment: Run, complaint, steady: str) -> None:
    assert segment("clip.mp4", "--steady", steady) == 2
    assert "--steady is above 0 and at most 1" in complaint()


def test_without_pyav_it_is_said_what_to_install(segment: Run, complaint, monkeypatch: pytest.MonkeyPatch) -> None:
    from feedseg.io.sources import videos

    write_video(Path("clip.mp4"), pictures(2))
    monkeypatch.setattr(videos, "is_installed", lambda: False)
    assert not hasattr(pyav, "av")
    assert segment("clip.mp4") == 2
    assert "pip install 'feedseg[video]'" in complaint()


def test_numbered_frames_are_a_video(segment: Run, files, draw, capsys) -> None:
    for number in (1, 2, 10, 9):
        draw(f"walk/f{number:03}.png", number)
    draw("walk/other.png")
    assert segment("walk/f%03d.png", "--steady", 0.5, "--out", "out") == 0
    assert files("out") == [f"walk.{end}" for end in ("frames.json", "labels.mkv", "overlay.mp4")]
    assert times("out/walk.labels.mkv") == pytest.approx([0, 0.04, 0.08, 0.12])
    draw("walk/f002.png", 7)  # another content: made again
    before = labels_of("out/walk.labels.mkv")
    assert segment("walk/f%03d.png", "--steady", 0.5, "--out", "out") == 0
    after = labels_of("out/walk.labels.mkv")
    assert [np.array_equal(old, new) for old, new in zip(before, after, strict=True)][:2] == [True, False]
    Path("walk/f010.png").write_bytes(b"nothing")
    capsys.readouterr()
    assert segment("walk/f%03d.png", "--steady", 0.5, "--out", "out") == 1
    assert "walk/f%03d.png is damaged behind frame 2" in capsys.readouterr().err
    assert len(labels_of("out/walk.labels.mkv")) == 3
    assert segment("walk/g%03d.png") == 2
    assert "walk/g%03d.png matches no images" in capsys.readouterr().err
