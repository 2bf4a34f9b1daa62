"""`feedseg data`: reports and exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedseg.apps.cli.main import main
from feedseg.apps.cli.render_data import ranges
from feedseg.evaluation.datasets.prepare import MappedMask
from feedseg.io.reading import FileReader
from tiny_datasets import draw, draw_raw, save_mask, save_picture, values_with

OWN = 'images = "photos/{id}.jpg"\nmasks = "masks/{id}.png"\nclasses = ["cat", "sofa"]\nbackground = ["wall"]\n'


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file in a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_ranges():
    assert ranges([0, 1, 2, 20, 21, 255]) == "0 to 2, 20, 21, 255"
    assert ranges([]) == ""


def test_the_command_says_that_all_is_well(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(OWN)
    save_picture(Path("photos/a.jpg"))
    save_mask(Path("masks/a.png"), values_with((0, 1, 2)))
    assert main(["data", "check", "mine.toml"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(None, 1) for line in out.splitlines() if line] == [
        ["mine", "mine"],
        ["root", "."],
        ["images", "1"],
        ["masks", "1 read"],
        ["values", "0 to 2"],
        ["result", "all is well"],
    ]
    assert err == ""


def test_the_command_says_what_is_wrong_and_exits_with_1(tmp_path, capsys):
    root, _ = draw("voc21", tmp_path)
    (root / "SegmentationClass/2007_000033.png").unlink()
    assert main(["data", "check", "voc21", str(root), "--thorough"]) == 1
    out = capsys.readouterr().out
    assert "note     3 images instead of 1449" in out
    assert "problem  1 mask missing, as" in out
    assert "         → download VOCtrainval_11-May-2012.tar" in out
    assert "result   1 problem\n" in out


def test_the_same_advice_is_given_once(tmp_path, capsys):
    root, _ = draw("voc21", tmp_path)
    (root / "JPEGImages/2007_000033.jpg").unlink()
    (root / "SegmentationClass/2008_000002.png").unlink()
    assert main(["data", "check", "voc21", str(root)]) == 1
    out = capsys.readouterr().out
    assert "result   2 problems" in out
    assert out.count("→ download") == 1


@pytest.mark.parametrize("command", [["data"], ["data", "check"], ["data", "prepare"]])
def test_help_fits_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command, "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_without_a_command_there_is_one_line(capsys):
    assert main(["data"]) == 2
    assert capsys.readouterr().err == "feedseg: Missing command. (see feedseg data --help)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["voc12", "."], "no benchmark 'voc12'"),
        (["voc21"], "give the folder, usually called VOCdevkit/VOC2012"),
        (["voc21", "nowhere"], "nowhere is not a folder"),
        (["scenes"], "no files to check"),
        (["none.toml"], "none.toml cannot be read"),
        (["context459"], "give its folder"),
    ],
)
def test_what_cannot_be_checked_is_one_line_and_exits_with_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("feedseg: ")
    assert err.count("\n") == 1


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch, capsys):
    source, out = tmp_path / "download", tmp_path / "root"
    draw_raw("cityscapes", source)
    before = snapshot(source)
    original = MappedMask.write
    written = []

    def stopped(self: MappedMask, reader: FileReader) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(self.target)
        original(self, reader)

    arguments = ["data", "prepare", "cityscapes", str(source), str(out), "--workers", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(MappedMask, "write", stopped)
        assert main(arguments) == 130
    assert "goes on where this one stopped" in capsys.readouterr().err
    (first,) = (out / "gtFine/val").rglob("*.png")
    made = (first.read_bytes(), first.stat().st_mtime_ns)
    assert main(arguments) == 0
    assert "there  1 files" in capsys.readouterr().out
    assert (first.read_bytes(), first.stat().st_mtime_ns) == made
    assert len(list((out / "gtFine/val").rglob("*.png"))) == 3
    assert snapshot(source) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_file_is_reported_and_the_others_are_made(workers, tmp_path, capsys):
    source, out = tmp_path / "download", tmp_path / "root"
    first, second, _ = draw_raw("coco-stuff", source).values()
    save_mask(first, np.array([[0, 182, 11]]))
    second.write_bytes(second.read_bytes()[:50])
    arguments = ["data", "prepare", "coco-stuff", str(source), str(out), "--workers", str(workers)]
    assert main(arguments) == 1
    result = capsys.readouterr()
    assert f"feedseg: {first} holds the value 11, which has no meaning" in result.err
    assert f"feedseg: {second} cannot be read" in result.err
    assert [line.split(None, 1)[0] for line in result.out.splitlines() if line] == ["made", "failed", "next"]
    assert "failed  2 files" in result.out
    assert len(snapshot(out)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["voc21", ".", "out"], "nothing to prepare for 'voc21'"),
        (["context59", ".", "out"], "did you mean 'context'"),
        (["coco-stuff", ".", "out"], "there are no masks ….png in ."),
        (["cityscapes", ".", "out"], "there are no masks …_gtFine_labelIds.png in .; download leftImg8bit"),
        (["context", ".", "out"], "trainval_merged.json is missing"),
        (["context", "broken.json", "out"], "broken.json is not JSON"),
        (["context", "other.json", "out"], "other.json has not the layout of trainval_merged.json"),
        (["coco-stuff", "nowhere", "out"], "nowhere does not exist"),
        (["coco-stuff", "download", "broken.json"], "broken.json is a file"),
    ],
)
def test_what_cannot_be_prepared_is_one_line_and_exits_with_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    draw_raw("coco-stuff", tmp_path / "download")
    Path("broken.json").write_text("{")
    Path("other.json").write_text('{"images": []}')
    assert main(["data", "prepare", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not Path("out").exists()
