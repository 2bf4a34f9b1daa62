"""`feedseg sweep`: which settings are compared, that each is what `evaluate` measures, and what is reused."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from feedseg import FeedbackAttention, Segmenter
from feedseg.apps.cli.main import main
from feedseg.apps.cli.sweep import parse_values
from feedseg.errors import FeedsegError
from feedseg.evaluation.sweep import Sweep
from measuring import QUICK, evaluate, matrices, write_dataset

USUAL = FeedbackAttention()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def sweep(*arguments: object) -> int:
    return main(["sweep", *map(str, arguments), *QUICK])


def test_one_at_a_time_every_value_stands_alone_beside_the_usual_setting() -> None:
    found = Sweep({"lambda": (2.0, 3.0, 4.0), "terms": (("FA", "F"),), "passes": (2,)}).settings(USUAL)
    assert found == {
        "default": USUAL,
        "lambda 2": FeedbackAttention(sharpness=2.0),
        "lambda 4": FeedbackAttention(sharpness=4.0),
        "terms FA+F": FeedbackAttention(terms=("FA", "F")),
        "passes 2": FeedbackAttention(passes=2),
    }


def test_a_grid_has_all_with_all() -> None:
    found = Sweep({"scale": (7.0, 20.0), "isolation": (12.0, 35.0), "p": (0.3,)}, grid=True).settings(USUAL)
    assert len(found) == 5
    assert found["scale 7, isolation 12, p 0.3"] == FeedbackAttention(7, 12, keep=0.3)
    assert len(set(found.values())) == 5


def test_no_value_is_lost_for_being_near_another() -> None:
    found = Sweep({"lambda": (2.0000001, 2.0000002, 2.5)}).settings(USUAL)
    assert list(found) == ["default", "lambda 2.0000001", "lambda 2.0000002", "lambda 2.5"]
    assert [one.sharpness for one in found.values()] == [3.0, 2.0000001, 2.0000002, 2.5]


def test_values_that_cannot_be_are_told() -> None:
    with pytest.raises(FeedsegError, match=r"^--p 2: keep is a share"):
        Sweep({"p": (2.0,)}).settings(USUAL)
    for name, text in (("lambda", "2,x"), ("passes", "1.5"), ("scale", "")):
        with pytest.raises(FeedsegError, match=rf"^--{name} takes .*numbers"):
            parse_values(name, text)
    assert parse_values("terms", "FA + AF,F") == (("FA", "AF"), ("F",))


def test_it_is_what_evaluate_measures_and_every_picture_is_opened_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_dataset(Path("photos").absolute(), 3)
    opened = []
    original = Segmenter.open
    monkeypatch.setattr(Segmenter, "open", lambda self, picture: opened.append(picture) or original(self, picture))
    assert sweep(dataset, "--lambda", "2,3", "--terms", "FA,F", "--out", "out") == 0
    assert len(opened) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    report = json.loads(Path("out/sweep.json").read_text())
    names = ["without", "default", "lambda 2", "terms FA", "terms F", "control"]
    assert list(report["settings"]) == names
    for name in names[1:]:
        gain = report["settings"][name]["gain"]
        difference = report["settings"][name]["miou"]["value"] - report["settings"]["without"]["miou"]["value"]
        assert gain["value"] == pytest.approx(difference)
        assert gain["low"] <= gain["value"] <= gain["high"]
        assert f"{100 * report['settings'][name]['miou']['value']:.1f}" in out
    assert report["settings"]["lambda 2"]["feedback"]["sharpness"] == 2
    ElementTree.parse("out/sweep.svg")
    assert "| lambda 2 |" in Path("out/sweep.md").read_text()

    assert sweep(dataset, "--lambda", "2,3", "--terms", "FA,F", "--out", "out") == 0  # all is in the journal
    assert len(opened) == 3
    assert sweep(dataset, "--lambda", "2,5", "--out", "out") == 2
    assert "measured otherwise" in capsys.readouterr().err

    assert evaluate("--dataset", dataset, "--out", "evaluated") == 0
    swept = matrices(Path("out/mine"), ["without", "default", "control"])
    evaluated = matrices(Path("evaluated/mine"))
    assert swept == {"without": evaluated["without"], "default": evaluated["feedback"], "control": evaluated["control"]}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("scenes",), "say what is varied: --lambda, --p"),
        (("scenes", "--terms", "FA+X"), "some of FA, AF, F"),
        (("scenes", "--passes", "0"), "at least one pass"),
        (("nowhere", "--p", "0.3"), "there is no benchmark 'nowhere'"),
    ],
)
def test_what_cannot_be_started_is_told_in_one_line(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err
