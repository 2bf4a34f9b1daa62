"""Hosts, proxies, feedbacks and refiners of one's own, from a module in the current directory, in every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedseg.apps.cli.main import main
from measuring import QUICK, journal_lines


def fingerprint(folder: str) -> dict:
    return json.loads(Path(folder, "mine/images.jsonl").read_text().splitlines()[0])["fingerprint"]


def test_segment_takes_them(own: str, segment, draw, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    options = ("--host", f"{own}:Wide", "--feedback", f"{own}:Sharp", "--refiner", f"{own}:Grow", "--json")
    assert segment("a.png", *options) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["host"] == "wide"
    assert settings["feedback"] == settings["feedback"] | {"kind": "Sharp", "sharpness": 5.0}
    assert [refiner["kind"] for refiner in settings["refiners"]] == ["Grow"]


def test_a_proxy_of_ones_own(own: str, model: Path, draw, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png")
    arguments = ["segment", "a.png", "--labels", "cat, sofa", "--model", str(model), "--proxy", f"{own}:grey"]
    assert main([*arguments, "--short-side", "32", "--window", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["host"] == "proxyclip"


def test_evaluate_takes_them_and_so_do_its_processes(own: str, dataset: Path, evaluate) -> None:
    """Two processes go on where one has stopped, with a torn line, and come to the same integers."""
    variants = f"none,paper,{own}:Sharp"
    options = ("--dataset", dataset, "--host", f"{own}:Wide", "--protocol", "host", "--feedback", variants)
    assert evaluate(*options, "--out", "here") == 0
    made_with = fingerprint("here")
    assert made_with["settings"]["host_class"] == f"{own}:Wide"
    variant = made_with["variants"][f"{own}:Sharp"]
    assert variant == variant | {"kind": f"{own}:Sharp", "sharpness": 5.0}
    assert f"with {own}:Sharp" in Path("here/report.html").read_text()

    whole = Path("here/mine/images.jsonl").read_text().splitlines(keepends=True)
    Path("apart/mine").mkdir(parents=True)
    Path("apart/mine/images.jsonl").write_text("".join(whole[:2]) + whole[2][:40])
    assert evaluate(*options, "--shards", 2, "--out", "apart") == 0
    assert [path.name for path in Path("apart/mine").glob("*.jsonl")] == ["images.jsonl"]  # whoever has measured
    assert journal_lines(Path("apart/mine")) == journal_lines(Path("here/mine"))
    assert json.loads(Path("apart/report.json").read_text())["benchmarks"][0]["images"]["measured"] == 4


def test_sweep_varies_their_constants(own: str, dataset: Path) -> None:
    options = ["--feedback", f"{own}:Sharp", "--lambda", "2", "--limit", "1", "--refiner", f"{own}:Grow"]
    assert main(["sweep", str(dataset), *QUICK, *options, "--out", "out"]) == 0
    settings = json.loads(Path("out/sweep.json").read_text())["settings"]
    assert settings["default"]["feedback"]["sharpness"] == 5.0
    assert settings["lambda 2"]["feedback"]["sharpness"] == 2.0
    assert fingerprint("out")["settings"]["refiners"][0]["kind"] == "Grow"


@pytest.mark.parametrize("option", ["--host", "--feedback", "--refiner"])
def test_what_cannot_be_imported_is_one_line(own: str, option: str, segment, draw, complaint) -> None:
    draw("a.png")
    assert segment("a.png", option, f"{own}:Nowhere") == 2
    assert f"{own}:Nowhere cannot be imported: AttributeError" in complaint()
