import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.results import Results, find_results, known_classes, read_result
from feedseg.io.writers.json import as_dict
from feedseg.labelmap import LabelMap
from feedseg.segmentation import Segmentation

NAMES = ("background", "cat", "grass")


def segmented(classes: int = 3, **changes: Any) -> Segmentation:
    labels = np.random.default_rng(0).integers(0, classes, (12, 9))
    given = {
        "labels": labels,
        "confidence": np.random.default_rng(1).random((12, 9)),
        "names": (*NAMES, *map(str, range(classes - 3))),
        "image": np.random.default_rng(2).integers(0, 255, (12, 9, 3), np.uint8),
        "background": True,
        "threshold": 0.25,
        "colours": tuple((index % 256, index // 256, 7) for index in range(classes)),
        "models": {"model": {"name": "photo", "revision": "1"}},
        "settings": {"host": "clip", "sizes": [1, 2]},
    }
    return Segmentation(**(given | changes))


@pytest.mark.parametrize("classes", [3, 256, 257, 3000])
def test_a_result_comes_back_as_it_was(tmp_path: Path, classes: int) -> None:
    result = segmented(classes, source="photos/a.jpg").with_regions(min_area=3, connected=True)
    saved = read_result(result.save(tmp_path).json)
    for field in fields(LabelMap):
        if field.name not in ("labels", "synonyms"):
            assert getattr(saved, field.name) == getattr(result, field.name), field.name
    assert saved.labels.dtype == result.labels.dtype
    np.testing.assert_array_equal(saved.labels, result.labels)
    assert saved.mean_confidence == result.mean_confidence
    assert saved.class_confidence == result.class_confidence
    assert as_dict(saved) == json.loads(json.dumps(result.to_dict()))
    with pytest.raises(ValueError, match="read-only"):
        saved.labels[0, 0] = 0


def test_a_result_of_an_earlier_version_lacks_what_that_did_not_write(tmp_path: Path) -> None:
    record = segmented().save(tmp_path).json
    content = json.loads(record.read_text())
    del content["regions"]
    for one in content["classes"]:
        del one["mean_confidence"]
    record.write_text(json.dumps(content))
    saved = read_result(record)
    assert saved.class_confidence == (None, None, None)
    assert saved.regions.describe() == {}


def changed(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


DAMAGED = {
    "torn": (lambda text: text[: len(text) // 2], "is damaged"),
    "empty": (lambda text: "", "is damaged"),
    "a list": (lambda text: "[]", "is no record of a result"),
    "a claim": (lambda text: '{"picture": null, "unfinished": true}', "'size' is missing"),
    "names of others": (changed(names=["a"]), "names and classes differ"),
    "no size": (changed(size={"width": 0, "height": 3}), "the size is none"),
    "a threshold in words": (changed(threshold="high"), "threshold is no number"),
    "no models": (changed(models=None), "models is no dict"),
    "regions of another version": (changed(regions={"smooth": 3}), "smooth"),
    "an area that is none": (changed(regions={"min_area": "lots"}), "smallest area"),
    "a picture that is no path": (changed(picture=3), "the picture is no path"),
    "classes without colour": (lambda text: text.replace('"colour": "#', '"colour": "x'), "non-hexadecimal"),
    "another size": (changed(size={"width": 5, "height": 5}), "is 9 × 12, and .* says 5 × 5"),
}


@pytest.mark.parametrize(("damage", "complaint"), DAMAGED.values(), ids=DAMAGED)
def test_a_json_that_cannot_be_used_is_one_line(tmp_path: Path, damage: Callable[[str], str], complaint: str) -> None:
    record = segmented().save(tmp_path).json
    record.write_text(damage(record.read_text()))
    with pytest.raises(FeedsegError, match=complaint) as caught:
        read_result(record)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_json_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FeedsegError, match="does not exist"):
        read_result(tmp_path / "a.labels.json")


def rgb(path: Path) -> None:
    Image.new("RGB", (9, 12)).save(path)


def other(path: Path) -> None:
    Image.fromarray(np.zeros((12, 9), np.uint8)).save(path)


def too_high(path: Path) -> None:
    Image.fromarray(np.full((12, 9), 9, np.uint8)).save(path)


PNGS = [
    (Path.unlink, r"labels\.png is missing"),
    (lambda path: path.write_bytes(b""), "cannot be read"),
    (lambda path: path.write_bytes(path.read_bytes()[:60]), "cannot be read"),
    (lambda path: Image.new("L", (9, 11)).save(path), "is 9 × 11, and .* says 9 × 12"),
    (rgb, "a PNG of mode RGB, not one of labels"),
    (other, "does not fit .*: 108 pixels of 'background', not"),
    (too_high, "does not fit .*: labels must be 0 to 2, not 9 to 9"),
    (lambda path: Image.new("L", (9, 12)).save(path, "JPEG"), "cannot be read"),
]


@pytest.mark.parametrize(("damage", "complaint"), PNGS, ids=[complaint for _, complaint in PNGS])
def test_labels_that_cannot_be_used_are_one_line(
    tmp_path: Path, damage: Callable[[Path], object], complaint: str
) -> None:
    files = segmented().save(tmp_path)
    damage(files.labels)
    with pytest.raises(FeedsegError, match=complaint) as caught:
        read_result(files.json)
    assert str(files.labels) in str(caught.value)


def test_the_image_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the path was given, from the record's folder, or beside the record."""
    monkeypatch.chdir(tmp_path)
    result = segmented(source="photos/a.png")
    for place in ("photos/a.png", "out/photos/a.png", "out/a.png"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(result.image).save(path)
        saved = read_result(result.save("out").json)
        np.testing.assert_array_equal(saved.image, result.image)
        np.testing.assert_array_equal(np.asarray(saved.overlay()), np.asarray(result.overlay()))
        path.unlink()
    with pytest.raises(FeedsegError, match=r"photos/a\.png, which out/a\.labels\.json was made from, is not there"):
        _ = read_result(result.save("out").json).image


def test_an_image_that_is_another_by_now(tmp_path: Path) -> None:
    Image.new("RGB", (8, 12)).save(tmp_path / "a.png")
    saved = read_result(segmented(source=str(tmp_path / "a.png")).save(tmp_path / "out").json)
    with pytest.raises(FeedsegError, match="is 8 × 12 by now, and its labels are 9 × 12"):
        _ = saved.image
    with pytest.raises(FeedsegError, match="an image without a file"):
        _ = read_result(segmented().save(tmp_path / "out").json).image


def test_results_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    for folder, stem in (("b", "x"), ("a/c", "y"), ("", "z"), ("a", "x")):
        segmented().save(tmp_path / folder, stem)
    (tmp_path / "other.json").write_text("{}")
    found = [path.relative_to(tmp_path).as_posix() for path in find_results(tmp_path)]
    assert found == ["a/c/y.labels.json", "a/x.labels.json", "b/x.labels.json", "z.labels.json"]


def test_where_no_results_are(tmp_path: Path) -> None:
    with pytest.raises(FeedsegError, match="has no results"):
        find_results(tmp_path)
    with pytest.raises(FeedsegError, match="is not there"):
        find_results(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(FeedsegError, match="is no folder"):
        find_results(tmp_path / "file")


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (("photos/a.jpg", "photos/x/b.jpg"), ("a.jpg", "x/b.jpg")),
        (("a/1.jpg", "b/1.jpg"), ("a/1.jpg", "b/1.jpg")),
        (("/data/p/a.jpg", "/data/q/a.jpg"), ("p/a.jpg", "q/a.jpg")),
        (("photos/a.jpg",), ("a.jpg",)),
        ((None, "a.jpg"), ("0", "1")),
        (("a.jpg", "a.jpg"), ("0", "1")),
        (("/data/a.jpg", "a.jpg"), ("0", "1")),
    ],
)
def test_what_images_are_called(tmp_path: Path, sources: tuple[str | None, ...], names: tuple[str, ...]) -> None:
    records = [segmented(source=source).save(tmp_path, str(number)).json for number, source in enumerate(sources)]
    assert Results(records, tmp_path).pictures == names


def test_one_result_at_a_time_is_in_memory(tmp_path: Path) -> None:
    records = [segmented().save(tmp_path, stem).json for stem in "abc"]
    results = iter(Results(records))
    next(results)
    records[2].unlink()
    next(results)
    with pytest.raises(FeedsegError, match="does not exist"):
        next(results)


def test_the_classes_of_all(tmp_path: Path) -> None:
    records = [segmented(names=names).save(tmp_path, names[1]).json for names in (("a", "b", "c"), ("a", "d", "e"))]
    records[0].with_name("x.labels.json").write_text("{")
    assert known_classes(find_results(tmp_path)) == ["a", "b", "c", "d", "e"]
