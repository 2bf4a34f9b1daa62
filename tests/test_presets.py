"""A preset is what its parts are, given one by one: in Python, on the command line, and where it is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg import FeedsegError, Segmenter, Vocabulary
from feedseg.apps.cli.main import main
from feedseg.decode.refiners.class_token import ClassToken
from feedseg.decode.refiners.pamr import PAMR
from feedseg.decode.refiners.propagate import Propagate
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.experiment import Bench, Experiment
from feedseg.evaluation.scenes import PATTERNS, draw_scene
from feedseg.io.images import read_image
from feedseg.presets import PRESETS, known_preset
from feedseg.settings import WHOLE_IMAGE as WHOLE
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
    twice = BEST.settings(segmenter.settings)
    expected = segmenter(pixels, WORDS, refiners=BEST.refiners, settings=twice)
    np.testing.assert_array_equal(np.array(Image.open("out/a.labels.png")), expected.labels)
    assert (expected.labels != segmenter(pixels, WORDS).labels).any()
    assert (expected.confidence != segmenter(pixels, WORDS, refiners=BEST.refiners).confidence).any()
    settings = json.loads(Path("out/a.labels.json").read_text())["settings"]
    assert [one["kind"] for one in settings["refiners"]] == ["ClassToken", "Propagate", "PAMR"]
    assert settings["refiners"][1]["alpha"] == 0.6
    assert settings["second_view"] == twice.second_view == 0.75


def test_a_second_view_alone() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(pixels).save("a.png")
    given = ["segment", "a.png", "--labels", WORDS, "--model", "mini", "--no-background", "--out", "out"]
    assert main([*given, "--second-view", "0.5"]) == 0
    segmenter = Segmenter.load("mini")
    expected = segmenter(pixels, WORDS, settings=replace(segmenter.settings, second_view=0.5))
    np.testing.assert_array_equal(np.array(Image.open("out/a.labels.png")), expected.labels)


def test_a_share_that_is_none_is_told_with_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (90, 60)).save("a.png")
    assert main(["segment", "a.png", "--labels", WORDS, "--model", "mini", "--out", "out", "--second-view", "3"]) == 2
    assert "--second-view: the second view has 0.1 to 1 of the sides, not 3" in capsys.readouterr().err


def test_what_is_measured_is_the_preset() -> None:
    segmenter = Segmenter.load("mini", host="proxyclip", feedback="none")
    image, words, settings = (
        read_image(draw_scene(0, 120).image),
        Vocabulary([*PATTERNS]),
        replace(WHOLE, short_side=96),
    )
    experiment = Experiment(load_benchmark("scenes"), "fsa", words, settings, {"none": "none", "best": BEST})
    bench = Bench(segmenter, experiment)
    options = {"feedback": BEST.feedback, "settings": BEST.settings(settings), "refiners": BEST.refiners}
    expected = segmenter(image, words, **options).labels
    np.testing.assert_array_equal(bench.label(bench.encode(image), "best"), expected)
    assert (expected != bench.label(bench.encode(image), "none")).any()


@pytest.mark.parametrize(
    "other", [("--host", "gem"), ("--feedback", "none"), ("--refiner", "pamr"), ("--second-view", "1")]
)
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
    assert "class-token (weight 0.1), propagate (alpha 0.6, power 6, probabilities yes)" in report
    for title in ("without feedback", "with the paper's feedback", "with calibrated feedback"):
        assert report.count(f"| {title} |") >= 2


def test_a_preset_of_no_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("evaluate scenes --model mini --preset wurst".split()) == 2
    assert "there is no preset 'wurst'" in capsys.readouterr().err
