"""`feedseg models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tiny_models
from feedseg.apps.cli.main import main
from feedseg.vision.model import open_model
from feedseg.weights.catalog import CARDS


def test_models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    here = {"openai/clip-vit-base-patch16": "0123456789abcdef" * 2}
    monkeypatch.setattr("feedseg.apps.cli.render_models.cached_revision", here.get)
    assert main(["models"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "yes 0123456" in rows["vit-b-16"]
    assert "MIT (OpenAI)" in rows["vit-b-16"]
    assert rows["dino-b8"].endswith("no")
    assert "proxyclip" in rows
    assert main(["models", "--json"]) == 0
    catalog = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert catalog["vit-b-16"]["revision"] == here["openai/clip-vit-base-patch16"]
    assert catalog["sam-b"] == catalog["sam-b"] | {"here": False, "revision": None, "kind": "proxy"}


def test_the_words_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "photo", "--words"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == sorted(open_model(CARDS["photo"].folder).text.known_words, key=str.casefold)
    assert err.startswith(f"feedseg: photo: it was fitted to these {len(out.splitlines())} words; others work as well")
    assert main(["models", "mini", "--words", "--json"]) == 0
    out, err = capsys.readouterr()
    assert {"striped", "dotted", "grass"} <= set(json.loads(out))
    assert "and phrases of them, and no others" in err


def test_the_words_of_a_bank_and_of_a_model_without_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_models.save_aligned(tmp_path, words=("sofa", "Table", "aeroplane"))
    assert main(["models", str(tmp_path), "--words"]) == 0
    out, err = capsys.readouterr()
    assert out == "aeroplane\nsofa\nTable\n"
    assert "it knows these 3 words, and no others" in err
    assert main(["models", "vit-b-16", "--words"]) == 0
    assert capsys.readouterr() == ("", "feedseg: vit-b-16: takes any word, and has no list\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--words"], "feedseg models NAME --words"),
        (["photo"], "add --words"),
        (["dino-b8", "--words"], "a proxy without text"),
        (["nosuch", "--words"], "nosuch"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], reason: str, complaint) -> None:
    assert main(["models", *arguments]) == 2
    assert reason in complaint()
