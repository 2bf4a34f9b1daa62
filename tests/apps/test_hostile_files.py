"""Files that crash their decoder end no command: each fails alone, in one line, and what is limited says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import hostile_decoder
from feedseg.apps.cli.main import main
from measuring import write_dataset
from tiny_rasters import patches, write_raster
from tiny_videos import pictures, write_video

CRASHES = hostile_decoder.CRASHES
pytestmark = pytest.mark.usefixtures("_hostile")


@pytest.fixture
def _hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch)


@pytest.fixture
def own_data() -> Path:
    """Two sound images, one that crashes its decoder, and one whose mask does."""
    file = write_dataset(Path("data"), 2)
    for name, of_image, of_mask in (("bad-image", CRASHES, CRASHES), ("bad-mask", 40, CRASHES)):
        Image.new("RGB", (of_image, 20)).save(f"data/images/{name}.png")
        Image.new("L", (of_mask, 20)).save(f"data/masks/{name}.png")
    return file


def test_evaluate_measures_the_others(evaluate, own_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--dataset", own_data, "--feedback", "none", "--out", "out") == 1
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert any("images/bad-image.png cannot be read: its decoder crashed (SIGABRT)" in line for line in lines)
    assert any("masks/bad-mask.png cannot be read: its decoder crashed (SIGABRT)" in line for line in lines)
    assert len(lines) == 2
    assert "2 of 4 images" in " ".join(out.split())


def test_a_check_of_data_names_them(own_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(own_data), "--thorough"]) == 1
    found = " ".join(capsys.readouterr().out.split())
    assert "its decoder crashed (SIGABRT) (and 1 more like it)" in found
    assert "2 read" in found


@pytest.mark.parametrize("command", ["explain", "compare"])
def test_one_image_is_refused_in_one_line(command: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (CRASHES, 20)).save("bad.png")
    Image.new("RGB", (300, 20)).save("large.png")
    options = ("--labels", "cat", "--model", str(model), "--device", "cpu")
    for name, more, said in (
        ("bad.png", (), "bad.png cannot be read: its decoder crashed (SIGABRT)"),
        ("large.png", ("--max-pixels", "5k"), "the limit is 0.005 million: raise it by --max-pixels"),
        ("large.png", ("--max-bytes", "50"), "raise it by --max-bytes"),
    ):
        assert main([command, name, *options, *more]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert said in err


def test_a_video_fails_alone(
    segment, draw, files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av")
    hostile_decoder.install(tmp_path / "videos", monkeypatch, hostile_decoder.VIDEOS)
    for name in ("crashes", "fine"):
        write_video(Path(f"all/{name}.mp4"), pictures(8), sound=None)
    draw("all/photo.png")
    assert segment("all", "--format", "labels", "--out", "out") == 1
    assert capsys.readouterr().err == "feedseg: all/crashes.mp4 cannot be read: its decoder crashed (SIGABRT)\n"
    assert {name.split(".")[0] for name in files("out")} == {"fine", "photo"}


def test_a_raster_fails_alone(
    model: Path, files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rasterio")
    hostile_decoder.install(tmp_path / "rasters", monkeypatch, hostile_decoder.RASTERS)
    for name in ("crashes", "fine"):
        write_raster(f"all/{name}.tif", patches())
    options = ("--labels", "cat, sofa", "--model", str(model), "--host", "clip", "--device", "cpu", "--window", "32")
    assert main(["segment", "all", *options, "--stride", "16", "--format", "labels", "--out", "out"]) == 1
    assert capsys.readouterr().err == "feedseg: all/crashes.tif cannot be read: its decoder crashed (SIGABRT)\n"
    assert {name.split(".")[0] for name in files("out")} == {"fine"}
