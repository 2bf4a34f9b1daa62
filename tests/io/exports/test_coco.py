"""COCO's files as pycocotools reads them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from feedseg.io.exports import EXPORTS
from feedseg.io.results import Results

pytest.importorskip("pycocotools")


@pytest.fixture
def coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Results], Any]:
    """`coco(format, results)`: what pycocotools makes of the export."""
    from pycocotools.coco import COCO

    def read(name: str, results: Results) -> Any:
        loaded = COCO(str(EXPORTS.load(name).write(results, tmp_path / "exported")))
        capsys.readouterr()
        return loaded

    return read


@pytest.mark.parametrize("name", ["coco", "coco-polygons"])
@pytest.mark.parametrize("kind", ["results", "separate"])
def test_decoded_masks_are_the_labels(
    name: str, kind: str, coco: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    results: Results = request.getfixturevalue(kind)
    loaded = coco(name, results)
    assert [image["file_name"] for image in loaded.loadImgs(loaded.getImgIds())] == ["b.jpg", "x/a.png"]
    assert {cat["id"]: cat["name"] for cat in loaded.loadCats(loaded.getCatIds())} == {
        1: "cat",
        2: "grass",
        3: "traffic light",
    }
    for number, result in enumerate(results, 1):
        image = loaded.imgs[number]
        assert (image["width"], image["height"]) == result.size
        decoded = np.zeros(result.labels.shape, int)
        objects = loaded.loadAnns(loaded.getAnnIds(imgIds=[number]))
        for one in objects:
            mask = loaded.annToMask(one).astype(bool)
            assert not decoded[mask].any()
            decoded[mask] = one["category_id"]
            assert one["area"] == mask.sum()
            rows, columns = np.nonzero(mask)
            assert one["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            if kind == "separate":
                assert ndimage.label(mask)[1] == 1  # pyright: ignore
        np.testing.assert_array_equal(decoded, result.labels)
        assert kind == "separate" or len(objects) == 3


def test_ids_are_the_words_places_whatever_occurs(saved: Callable[..., list[Path]], coco: Callable[..., Any]) -> None:
    names = ("sky", "cat", "grass", "dog", "sea")
    loaded = coco("coco", Results(saved(names=names, background=False, synonyms=())))
    assert [(cat["id"], cat["name"]) for cat in loaded.dataset["categories"]] == list(enumerate(names, 1))


@pytest.mark.parametrize("name", ["coco", "coco-polygons"])
def test_an_image_without_objects(saved: Callable[..., list[Path]], coco: Callable[..., Any], name: str) -> None:
    nothing = {"labels": np.zeros((2, 3), int), "confidence": np.ones((2, 3)), "image": np.zeros((2, 3, 3), np.uint8)}
    loaded = coco(name, Results(saved(**nothing)))
    assert (len(loaded.imgs), len(loaded.anns)) == (2, 0)


def test_it_is_json_a_line_an_object(results: Results, tmp_path: Path) -> None:
    path = EXPORTS.load("coco").write(results, tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["info"]["description"] == "feedseg"
    assert all(annotation["iscrowd"] == 0 for annotation in content["annotations"])
