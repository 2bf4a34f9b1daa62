"""`feedseg sweep`: that each setting is what `evaluate` measures, and what is reused."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from feedseg import Segmenter
from feedseg.apps.cli.main import main
from feedseg.apps.cli.sweep import parse_others, parse_values
from feedseg.errors import FeedsegError
from measuring import QUICK, matrices, write_dataset


def sweep(*arguments: object) -> int:
    return main(["sweep", *map(str, arguments), *QUICK])


def test_values_are_numbers_or_terms() -> None:
    for name, text in (("lambda", "2,x"), ("passes", "1.5"), ("scale", "")):
        with pytest.raises(FeedsegError, match=rf"^--{name} takes .*numbers"):
            parse_values(name, text)
    assert parse_values("terms", "FA + AF,F") == (("FA", "AF"), ("F",))
    assert parse_others(["a-b=1, 2.5", "kind=x,true"]) == {"a_b": (1, 2.5), "kind": ("x", True)}


def test_it_is_what_evaluate_measures_and_every_image_is_encoded_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], evaluate
) -> None:
    dataset = write_dataset(Path("photos").absolute(), 3)
    encoded = []
    original = Segmenter.encode
    monkeypatch.setattr(
        Segmenter, "encode", lambda self, image, **options: encoded.append(image) or original(self, image, **options)
    )
    assert sweep(dataset, "--lambda", "2,3", "--terms", "FA,F", "--out", "out") == 0
    assert len(encoded) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    report = json.loads(Path("out/sweep.json").read_text())
    names = ["none", "default", "lambda 2", "terms FA", "terms F", "control"]
    assert list(report["settings"]) == names
    for name in names[1:]:
        gain = report["settings"][name]["gain"]
        difference = report["settings"][name]["miou"]["value"] - report["settings"]["none"]["miou"]["value"]
        assert gain["value"] == pytest.approx(difference)
        assert gain["low"] <= gain["value"] <= gain["high"]
        assert f"{100 * report['settings'][name]['miou']['value']:.1f}" in out
    assert report["settings"]["lambda 2"]["feedback"]["sharpness"] == 2
    ElementTree.parse("out/sweep.svg")
    assert "| lambda 2 |" in Path("out/sweep.md").read_text()

    assert sweep(dataset, "--lambda", "2,3", "--terms", "FA,F", "--out", "out") == 0  # all is in the journal
    assert len(encoded) == 3
    assert sweep(dataset, "--lambda", "2,5", "--out", "out") == 2
    assert "made otherwise" in capsys.readouterr().err

    assert evaluate("--dataset", dataset, "--out", "evaluated") == 0
    swept = matrices(Path("out/mine"), ["none", "default", "control"])
    evaluated = matrices(Path("evaluated/mine"))
    assert swept == {"none": evaluated["none"], "default": evaluated["paper"], "control": evaluated["control"]}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("scenes",), "say what is varied: --lambda, --p"),
        (("scenes", "--terms", "FA+X"), "some of FA, AF, F"),
        (("scenes", "--passes", "0"), "the number of passes is a whole number from 1"),
        (("scenes", "--vary", "nonsense"), "--vary takes NAME=VALUES"),
        (("scenes", "--vary", "nosuch=1,2"), "FSAFeedback has no constant 'nosuch'; it has"),
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
