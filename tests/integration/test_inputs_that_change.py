"""Inputs that change or go while a run is on: each is told by its name and counted, and the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feedseg.apps.cli.main import main
from feedseg.evaluation.experiment import Bench
from feedseg.io.output import Output
from measuring import QUICK, journal_lines, write_dataset
from writing_commands import TOY, WORDS, files, image, make_quick, results

GONE, SPOILT = 8, 9  # of ten, so that none of them is read ahead when the first is finished


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_quick(monkeypatch)


def meanwhile(patch: pytest.MonkeyPatch, owner: type, name: str, folder: str, ending: str) -> None:
    """Remove one file and spoil another as soon as a method is called."""
    original = getattr(owner, name)

    def called(*arguments: Any, **options: Any) -> Any:
        Path(f"{folder}/{GONE}{ending}").unlink(missing_ok=True)
        Path(f"{folder}/{SPOILT}{ending}").write_bytes(b"no image")
        return original(*arguments, **options)

    patch.setattr(owner, name, called)


def check_told(told: str, folder: str) -> None:
    """Fails unless there are two lines, one for each."""
    assert told.count("feedseg: ") == told.count("\n") == 2, told
    for number in (GONE, SPOILT):
        assert f"{folder}/{number}" in told
    assert "Traceback" not in told
    assert "unexpected" not in told


def test_segment_tells_them_and_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(10):
        image(f"images/{number}.png", number)
    command = ["segment", "images", "--labels", WORDS, *TOY, "--short-side", "48", "--window", "none", "--workers", "1"]
    assert main([*command, "--out", "undisturbed"]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        meanwhile(patch, Output, "save", "images", ".png")
        assert main([*command, "--out", "out"]) == 1
    out, err = capsys.readouterr()
    assert "8 images → out" in out
    check_told(err, "images")
    made, wanted = files(Path("out")), files(Path("undisturbed"))
    assert made == {name: content for name, content in wanted.items() if int(name[0]) not in (GONE, SPOILT)}
    for number in (GONE, SPOILT):
        image(f"images/{number}.png", number)
    assert main([*command, "--out", "out"]) == 0
    assert files(Path("out")) == wanted


def test_evaluate_tells_them_and_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(Path("photos"), 10)
    kept = files(Path("photos"))
    command = ["evaluate", *QUICK, "--feedback", "none", "--dataset", "photos/mine.toml", "--workers", "1"]
    assert main([*command, "--out", "undisturbed"]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        meanwhile(patch, Bench, "measure", "photos/images", ".png")
        assert main([*command, "--out", "out"]) == 1
    out, err = capsys.readouterr()
    assert "8 of 10 images; 2 failed: 8, 9" in out
    check_told(err, "photos/images")
    for name, content in kept.items():
        Path("photos", name).write_bytes(content)
    assert main([*command, "--out", "out"]) == 0
    measured = [line for line in journal_lines(Path("out/mine")) if "error" not in line]
    assert measured == journal_lines(Path("undisturbed/mine"))


def test_convert_tells_them_and_goes_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    results(10)
    command = ["convert", "results", "--format", "masks", "--format", "coco"]
    assert main([*command, "--out", "undisturbed"]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        meanwhile(patch, Output, "save", "results", ".labels.png")
        assert main([*command, "--out", "out"]) == 1
    out, err = capsys.readouterr()
    assert "8 results → out" in out
    check_told(err, "results")
    assert [one["file_name"] for one in json.loads(Path("out/coco.json").read_text())["images"]] == [
        f"{number}.png" for number in range(10) if number not in (GONE, SPOILT)
    ]
