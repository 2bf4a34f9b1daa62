"""Label Studio's tasks as its own converter reads them."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedseg.io.exports.label_studio import EXPORT, packed
from feedseg.io.palette import class_colours
from feedseg.io.results import Results


def decoded(rle: list[int]) -> np.ndarray:
    """By the format's description: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def read(size: int) -> int:
        nonlocal at
        at += size
        return int(bits[at - size : at], 2)

    total, word, sizes = read(32), read(5) + 1, [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        repeated = read(1)
        length = read(sizes[read(2)]) + 1
        values += [read(word)] * length if repeated else [read(word) for _ in range(length)]
    return np.array(values)


def converter() -> Callable[[list[int]], np.ndarray]:
    return pytest.importorskip("label_studio_sdk.converter.brush").decode_rle


@settings(max_examples=30)
@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=6), st.booleans())
def test_run_lengths_are_those_of_the_format(counts: list[int], begins_inside: bool) -> None:
    counts = [0, *counts] if begins_inside else counts
    expected = np.repeat([255 * (turn % 2) for turn in range(len(counts))], [4 * count for count in counts])
    np.testing.assert_array_equal(decoded(packed(counts)), expected)


@pytest.mark.parametrize("kind", ["results", "separate"])
@pytest.mark.parametrize("reader", ["description", "converter"])
def test_brushes_are_the_labels(kind: str, reader: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    results: Results = request.getfixturevalue(kind)
    read_by = {"description": lambda: decoded, "converter": converter}
    decode = read_by[reader]()
    tasks = json.loads(EXPORT.write(results, tmp_path).read_text(encoding="utf-8"))
    assert [task["data"]["image"] for task in tasks] == ["/data/local-files/?d=b.jpg", "/data/local-files/?d=x/a.png"]
    for task, result in zip(tasks, results, strict=True):
        (prediction,) = task["predictions"]
        assert prediction["score"] == result.mean_confidence
        labels = np.zeros(result.labels.shape, int)
        for brush in prediction["result"]:
            assert (brush["original_width"], brush["original_height"]) == result.size
            layer = decode(brush["value"]["rle"]).reshape(*labels.shape, 4)
            assert {*np.unique(layer).tolist()} <= {0, 255}
            (name,) = brush["value"]["brushlabels"]
            labels[layer[:, :, 3] > 0] = result.names.index(name)
        np.testing.assert_array_equal(labels, result.labels)
        ids = [brush["id"] for brush in prediction["result"]]
        assert len({*ids}) == len(ids) == 3 or kind == "separate"


def test_the_interface_has_the_classes(saved: Callable[..., list[Path]], tmp_path: Path) -> None:
    names = ("background", 'a "b" <c> & d', "grass", "猫")
    EXPORT.write(Results(saved(names=names)), tmp_path)
    view = ElementTree.parse(tmp_path / "label-studio.xml").getroot()
    labels = view.findall("BrushLabels/Label")
    assert [label.get("value") for label in labels] == list(names[1:])
    expected = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(names, True)[1:].tolist()]
    assert [label.get("background") for label in labels] == expected
    brush, image = view.find("BrushLabels"), view.find("Image")
    assert brush is not None
    assert image is not None
    assert (brush.get("name"), brush.get("toName"), image.get("name")) == ("tag", "image", "image")


def test_names_that_an_address_cannot_hold_are_quoted(saved: Callable[..., list[Path]], tmp_path: Path) -> None:
    path = EXPORT.write(Results(saved(pictures=("photos/a b#1.jpg",))), tmp_path)
    assert json.loads(path.read_text())[0]["data"]["image"] == "/data/local-files/?d=a%20b%231.jpg"
