"""What is wrong is said in one line, by a FeedsegError, wherever in the arguments it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedseg import FeedsegError, Segmenter, Vocabulary

IMAGE = np.zeros((32, 32, 3), np.uint8)
OBJECTS = """
from feedseg.vision.hosts.base import Host

class Broken(Host):
    name = "broken"
    def __init__(self): raise ValueError("no good")
    def attention(self, output, features): return None

class Needs:
    def __init__(self, more): pass

thing = 3
"""


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load("mini", host="clip")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model": 3}, "a model is a name"),
        ({"settings": "x"}, "settings are a Settings object"),
        ({"host": "own_objects:Broken"}, "own_objects:Broken cannot be made without arguments: no good"),
        ({"host": "own_objects:thing"}, "is no host"),
        ({"proxy": "own_objects:Needs"}, "the proxy Needs cannot be made without arguments"),
        ({"proxy": "own_objects:thing"}, "a proxy is a name"),
    ],
)
def test_loading(options: dict[str, Any], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_objects.py").write_text(OBJECTS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FeedsegError, match=reason):
        Segmenter.load(**{"model": "mini", **options})


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda one: one(IMAGE, "red, blue", settings="x"), "settings are a Settings object"),
        (lambda one: one.encode(IMAGE, settings="x"), "settings are a Settings object"),
        (lambda one: one(IMAGE, "red, blue", refiners="small-areas"), "refiners are a list"),
        (lambda one: one(IMAGE, "red, blue", feedback=3), "3 is no feedback"),
        (lambda one: list(one.segment_many([(IMAGE, 3)])), "words are"),
        (lambda one: list(one.segment_many([IMAGE])), "an image without words"),
        (lambda one: one(IMAGE, "red, blue").save("out", formats=3), "formats are a name"),
    ],
)
def test_calls(call: Callable[[Segmenter], Any], reason: str, segmenter: Segmenter):
    with pytest.raises(FeedsegError, match=reason):
        call(segmenter)


@pytest.mark.parametrize("templates", [3, "a {}", [3]])
def test_templates(templates: Any):
    with pytest.raises(FeedsegError, match="the templates are a list of texts"):
        Vocabulary(["a", "b"], templates=templates)
