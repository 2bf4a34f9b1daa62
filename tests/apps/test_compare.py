"""`feedseg compare`: a sheet of hosts or models by feedbacks, and what differs."""

import re

import numpy as np
import pytest
from PIL import Image

from feedseg import Segmenter, Vocabulary
from feedseg.apps.cli.main import main

WORDS = ["cat", "sofa"]


@pytest.fixture
def compare(model, draw):
    def run(*arguments):
        draw("noise.png", size=(60, 40))
        options = ["--labels", ", ".join(WORDS), "--no-background", "--model", str(model), "--device", "cpu"]
        return main(["compare", "noise.png", *options, *map(str, arguments)])

    return run


def test_rows_are_hosts_and_shares_are_counted(compare, model, capsys):
    assert compare("--hosts", "clip,maskclip", "--feedback", "none,paper") == 0
    printed = capsys.readouterr().out
    shares = re.findall(r"(\S+), (\S+) +(the first|[\d.]+% differ)", printed)
    expected, first = [], None
    for host in ("clip", "maskclip"):
        encoded = Segmenter.load(model, host=host, device="cpu").encode("noise.png")
        for feedback in ("none", "paper"):
            labels = encoded.segment(Vocabulary(WORDS), feedback=feedback).labels
            first = labels if first is None else first
            share = np.mean([a != b for a, b in zip(labels.flat, first.flat, strict=True)])
            said = f"{share:.1%} differ" if expected else "the first"
            expected.append((host, feedback, said))
    assert shares == expected
    with Image.open("compared.png") as sheet:
        assert sheet.width > 3 * 360
        assert sheet.height > 2 * 240


def test_rows_are_models(compare, model, capsys):
    assert compare("--models", model, "--hosts", "clip", "--feedback", "calibrated", "--out", "new/sheet.jpg") == 0
    assert str(model) in capsys.readouterr().out.replace("\n", "")
    with Image.open("new/sheet.jpg") as sheet:
        assert sheet.format == "JPEG"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--hosts", "clip,nobody"), "nobody"),
        (("--hosts", "clip,,sclip"), "--hosts"),
        (("--hosts", "clip,clip"), "different"),
        (("--feedback", "papper"), "papper"),
        (("--models", ""), "--models"),
        (("--out", "sheet.gif"), ".png"),
        (("--out", "noise.png/sheet.png"), "noise.png"),
        (("--out", "noise.png"), "is the image itself"),
    ],
)
def test_wrong_uses_are_one_line(compare, complaint, arguments, said):
    few = () if "--hosts" in arguments else ("--hosts", "clip")
    assert compare(*few, *arguments) == 2
    assert said in complaint()
