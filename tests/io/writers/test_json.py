import importlib.metadata
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from feedseg.io.writers.json import WRITER, as_dict, is_of
from feedseg.segmentation import Segmentation

NAMES = ["background", "cat", "grass", "Zebra"]


def test_what_it_says(segmented: Callable[..., Segmentation]) -> None:
    result = segmented(
        source="pictures/cat.jpg",
        threshold=0.25,
        synonyms=(("background", "wall"), ("cat", "kitten"), ("grass",), ("zebra",)),
        models={"tower": {"name": "ViT-B/16", "revision": "abc"}},
        settings={"host": "proxyclip", "feedback": True, "window": 336},
    )
    assert result.to_dict() == as_dict(result)
    found = as_dict(result)
    classes = found.pop("classes")
    assert found == {
        "picture": "pictures/cat.jpg",
        "size": {"width": 5, "height": 3},
        "names": NAMES,
        "mean_confidence": pytest.approx(0.5),
        "threshold": 0.25,
        "background": True,
        "regions": {},
        "models": {"tower": {"name": "ViT-B/16", "revision": "abc"}},
        "settings": {"host": "proxyclip", "feedback": True, "window": 336},
        "version": importlib.metadata.version("feedseg"),
    }
    assert classes[1] == {
        "index": 1,
        "name": "cat",
        "words": ["cat", "kitten"],
        "pixels": 4,
        "share": 4 / 15,
        "mean_confidence": pytest.approx(np.linspace(0, 1, 15)[[2, 3, 7, 8]].mean()),
        "colour": "#ff004b",
    }
    assert [entry["index"] for entry in classes] == [0, 1, 2, 3]
    assert classes[3]["mean_confidence"] is None
    assert sum(entry["share"] for entry in classes) == pytest.approx(1)
    assert classes[0]["colour"] == "#8c8c8c"


def test_without_synonyms_the_words_are_the_names(segmented: Callable[..., Segmentation]) -> None:
    assert [entry["words"] for entry in as_dict(segmented())["classes"]] == [[name] for name in NAMES]


def test_the_file_is_the_dictionary_in_utf_8(segmented: Callable[..., Segmentation]) -> None:
    result = segmented(names=("猫", "café", '"\\', "\u2028"))
    text = WRITER.encode(result).decode()
    assert json.loads(text) == as_dict(result)
    assert "猫" in text
    assert text.startswith('{\n  "picture": null')
    assert text.endswith("}\n")


def test_file_names_of_every_kind_come_back(segmented: Callable[..., Segmentation]) -> None:
    source = os.fsdecode(b"caf\xe9.jpg")  # Latin-1: not UTF-8, as file names may be
    assert json.loads(WRITER.encode(segmented(source=source)).decode())["picture"] == source


@pytest.mark.parametrize("setting", [object(), float("nan")])
def test_what_json_does_not_have_is_refused(segmented: Callable[..., Segmentation], setting: object) -> None:
    with pytest.raises((TypeError, ValueError), match="JSON"):
        WRITER.encode(segmented(settings={"host": setting}))


@pytest.mark.parametrize(
    ("content", "source", "expected"),
    [
        ('{"picture": "a.png"}', "a.png", True),
        ('{"picture": "a.png"}', "b.png", False),
        ('{"picture": null}', None, False),
        ('{"image": "a.png"}', "a.png", False),
        ("[]", "a.png", False),
        ("{", "a.png", False),
        ("\udcff", "a.png", False),
    ],
)
def test_whose_result_a_file_is(tmp_path: Path, content: str, source: str | None, expected: bool) -> None:
    (tmp_path / "x.json").write_bytes(content.encode(errors="surrogateescape"))
    assert is_of(tmp_path / "x.json", source) is expected
    assert not is_of(tmp_path / "none.json", source)
