"""`feedseg explain`: a figure, what is printed, and wrong uses in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg.apps.cli.explain import parsed_place, place_in
from feedseg.apps.cli.main import main

pytest.importorskip("matplotlib")


@pytest.fixture
def explain(model, draw):
    def run(*arguments, words="cat; kitten, sofa"):
        draw("noise.png", size=(60, 40))
        options = ["--labels", words, "--model", str(model), "--host", "clip", "--device", "cpu"]
        return main(["explain", "noise.png", *options, *map(str, arguments)])

    return run


@pytest.mark.parametrize("feedback", ["paper", "calibrated"])
def test_a_figure_and_its_figures(explain, capsys, feedback):
    assert explain("--at", "50%,20", "--feedback", feedback) == 0
    printed = capsys.readouterr().out
    assert "30,20" in printed
    assert "explained.png" in printed
    assert all(len(line) <= 80 for line in printed.splitlines())
    with Image.open("explained.png") as figure:
        assert figure.width > 1000
        assert len(np.unique(np.asarray(figure.convert("L")))) > 50


def test_vectors_and_a_folder_that_is_not_there(explain):
    assert explain("--out", "new/why.svg") == 0
    assert "<svg" in Path("new/why.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "60,0"), "60 wide and 40 high"),
        (("--at", "-1,0"), "outside"),
        (("--at", "3"), "40%,75%"),
        (("--at", "3,four"), "40%,75%"),
        (("--at", "nan,1"), "40%,75%"),
        (("--at", "101%,1"), "101%"),
        (("--feedback", "none"), "nothing to explain"),
        (("--feedback", "papper"), "papper"),
        (("--host", "nobody"), "nobody"),
        (("--out", "figure.tiff"), ".png"),
        (("--out", "noise.png/figure.png"), "noise.png"),
        (("--out", "noise.png"), "is the image itself"),
    ],
)
def test_wrong_uses_are_one_line(explain, complaint, arguments, said):
    assert explain(*arguments) == 2
    assert said in complaint()


def test_percent_reach_from_the_first_to_the_last_pixel():
    assert place_in((41, 61), *parsed_place("0%, 100%")) == (0, 40)
    assert place_in((41, 61), *parsed_place("50%,7.5")) == (30, 7.5)
