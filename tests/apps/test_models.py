"""`feedseg models`."""

from __future__ import annotations

import json

import pytest

from feedseg.apps.cli.main import main


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
