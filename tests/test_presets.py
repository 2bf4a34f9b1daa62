"""A preset is what its parts are, given one by one: in Python, on the command line, and where it is measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg import FeedsegError, Segmenter
from feedseg.apps.cli.main import main
from feedseg.decode.refiners.class_token import ClassToken
from feedseg.decode.refiners.pamr import PAMR
from feedseg.decode.refiners.propagate import Propagate
from feedseg.presets import PRESETS, known_preset
from measuring import journal_lines

WORDS = "striped, dotted, bricks"
BEST = PRESETS["best"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_refiners_have_the_preset_s_constants_and_else_their_usual_ones() -> None:
    assert BEST.refiners == (
        ClassToken(weight=0.1),
        Propagate(alpha=0.6, power=6.0, probabilities=True),
        PAMR(dilations=(2, 4), steps=5, reduce=3),
    )
    with pytest.raises(FeedsegError, match="did you mean best"):
        known_preset("bests")


def test_segment_with_a_preset_is_segment_with_its_parts() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    given = ["segment", "a.png", "--labels", WORDS, "--model", "mini", "--no-background", "--out", "out"]
    assert main([*given, "--preset", "best"]) == 0
    segmenter = Segmenter.load("mini", host="proxyclip", feedback="calibrated")
    expected = segmenter(pixels, WORDS, refiners=BEST.refiners)
    np.testing.assert_array_equal(np.array(Image.open("out/a.labels.png")), expected.labels)
    assert (expected.labels != segmenter(pixels, WORDS).labels).any()
    settings = json.loads(Path("out/a.labels.json").read_text())["settings"]
    assert [one["kind"] for one in settings["refiners"]] == ["ClassToken", "Propagate", "PAMR"]
    assert settings["refiners"][1]["alpha"] == 0.6


@pytest.mark.parametrize("other", [("--host", "gem"), ("--feedback", "none"), ("--refiner", "pamr")])
def test_what_contradicts_a_preset_is_told(other: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "a.png", "--labels", WORDS, "--model", "mini", "--preset", "best", *other]) == 2
    assert f"--preset best says this itself: leave out {other[0]}" in " ".join(capsys.readouterr().err.split())


def test_evaluate_measures_it_beside_plain_both_feedbacks_and_the_control(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("evaluate scenes --model mini --limit 2 --preset best --out out".split()) == 0
    measured = journal_lines(Path("out/scenes"))
    assert [list(line["pixels"]) for line in measured] == [["none", "paper", "calibrated", "control", "best"]] * 2
    assert all(line["pixels"]["best"] != line["pixels"]["calibrated"] for line in measured)
    screen = capsys.readouterr().out.splitlines()
    assert max(map(len, screen[:2])) <= 80
    assert any(line.startswith("scenes, best less calibrated") and "times its time" in line for line in screen)
    report = Path("out/report.md").read_text()
    assert "The preset best against the others" in report
    for title in ("without feedback", "with the paper's feedback", "with calibrated feedback"):
        assert report.count(f"| {title} |") >= 2


def test_a_preset_of_no_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("evaluate scenes --model mini --preset wurst".split()) == 2
    assert "there is no preset 'wurst'" in capsys.readouterr().err
