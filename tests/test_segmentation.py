import importlib.metadata
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedseg import segmentation
from feedseg.errors import FeedsegError
from feedseg.io.overlay import palette
from feedseg.segmentation import Segmentation

NAMES = ("background", "cat", "grass", "Zebra")


def segmented(classes: int = len(NAMES), **changes: Any) -> Segmentation:
    """Three by five pixels: eight of background, four of cat, three of grass, none of the others."""
    names = (*NAMES, *(f"class {index}" for index in range(len(NAMES), classes)))
    labels = np.array([[0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 2, 2, 2]])
    confidence = np.linspace(0, 1, 15).reshape(3, 5)
    picture = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)
    fields = {"labels": labels, "confidence": confidence, "names": names, "picture": picture, "background": True}
    return Segmentation(**(fields | changes))


def test_what_it_counts() -> None:
    result = segmented()
    assert result.size == (5, 3)
    assert result.pixels == {"background": 8, "cat": 4, "grass": 3, "Zebra": 0}
    assert list(result.pixels) == list(NAMES)
    assert result.shares == {"background": 8 / 15, "cat": 4 / 15, "grass": 3 / 15, "Zebra": 0}
    assert result.mean_confidence == pytest.approx(0.5)


def test_many_small_confidences_do_not_drown() -> None:
    confidence = np.full((3000, 3000), 0.1, np.float32)
    labels = np.zeros((3000, 3000), np.uint8)
    result = segmented(labels=labels, confidence=confidence, picture=np.zeros((3000, 3000, 3), np.uint8))
    assert result.mean_confidence == pytest.approx(0.1, rel=1e-6)


def test_masks_part_the_picture() -> None:
    result = segmented()
    masks = [result.mask(name) for name in result.names]
    assert all(mask.dtype == bool for mask in masks)
    np.testing.assert_array_equal(np.sum(masks, axis=0), 1)
    np.testing.assert_array_equal(np.argwhere(result.mask("grass")), [[2, 2], [2, 3], [2, 4]])


@pytest.mark.parametrize(
    ("name", "hint"), [("gras", "mean grass\\?"), ("zebra", "mean Zebra\\?"), ("qqq", "there are background, cat")]
)
def test_an_unknown_class_is_answered_with_near_ones(name: str, hint: str) -> None:
    with pytest.raises(FeedsegError, match=f"^no class '{name}': .*{hint}"):
        segmented().mask(name)


@pytest.mark.parametrize(("classes", "dtype"), [(4, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_labels_are_kept_small(classes: int, dtype: type) -> None:
    result = segmented(classes)
    assert result.labels.dtype == dtype
    assert result.confidence.dtype == np.float32
    assert result.labels.tolist() == segmented().labels.tolist()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": np.zeros((3, 5))}, "labels must be .* integers"),
        ({"labels": np.zeros((3, 5, 1), int)}, "labels must be"),
        ({"labels": np.zeros((0, 5), int)}, "labels must be"),
        ({"labels": np.full((3, 5), 4)}, "labels must be 0 to 3, not 4 to 4"),
        ({"labels": np.full((3, 5), -1)}, "labels must be 0 to 3, not -1"),
        ({"labels": np.full((3, 5), 256)}, "labels must be 0 to 3"),
        ({"confidence": np.zeros((5, 3))}, "confidence must be"),
        ({"confidence": np.zeros((3, 5), int)}, "confidence must be"),
        ({"picture": np.zeros((3, 5), np.uint8)}, "picture must be"),
        ({"picture": np.zeros((3, 5, 3))}, "picture must be"),
        ({"names": ()}, "names must be"),
        ({"names": ("a", "b", "a")}, "names must be"),
        ({"synonyms": (("a",),)}, "synonyms must be"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        segmented(**changes)


def test_as_a_dictionary() -> None:
    result = segmented(
        source="pictures/cat.jpg",
        threshold=0.25,
        synonyms=(("background", "wall"), ("cat", "kitten"), ("grass",), ("zebra",)),
        models={"tower": {"name": "ViT-B/16", "revision": "abc"}},
        settings={"host": "proxyclip", "feedback": True, "window": 336},
    )
    found = result.to_dict()
    classes = found.pop("classes")
    assert found == {
        "picture": "pictures/cat.jpg",
        "size": {"width": 5, "height": 3},
        "names": list(NAMES),
        "mean_confidence": pytest.approx(0.5),
        "threshold": 0.25,
        "background": True,
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
        "colour": "#2461f5",
    }
    assert [entry["index"] for entry in classes] == [0, 1, 2, 3]
    assert sum(entry["share"] for entry in classes) == pytest.approx(1)
    assert classes[0]["colour"] == "#8c8c8c"


def test_without_synonyms_the_words_are_the_names() -> None:
    assert [entry["words"] for entry in segmented().to_dict()["classes"]] == [[name] for name in NAMES]


def test_saved_files_hold_what_was_found(tmp_path: Path) -> None:
    result = segmented(source="some/where/tom.cat.jpg")
    files = result.save(tmp_path / "new" / "folder")
    assert [path.name for path in files] == ["tom.cat.labels.png", "tom.cat.overlay.png", "tom.cat.labels.json"]
    assert sorted((tmp_path / "new" / "folder").iterdir()) == sorted(files)
    with Image.open(files.labels) as labels:
        assert labels.mode == "P"
        np.testing.assert_array_equal(np.asarray(labels), result.labels)
        np.testing.assert_array_equal(np.asarray(labels.convert("RGB")), palette(4, True)[result.labels])
    with Image.open(files.overlay) as overlay:
        np.testing.assert_array_equal(np.asarray(overlay), np.asarray(result.overlay()))
    assert json.loads(files.json.read_text("utf-8")) == result.to_dict()


def test_more_classes_than_a_palette_has(tmp_path: Path) -> None:
    labels = np.array([[0, 255, 256, 299, 7]] * 3)
    files = segmented(300, labels=labels).save(tmp_path)
    with Image.open(files.labels) as saved:
        assert saved.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(saved), labels)
    assert files.labels.name == "picture.labels.png"


def test_a_full_palette(tmp_path: Path) -> None:
    labels = np.array([[0, 255, 254, 16, 7]] * 3)
    with Image.open(segmented(256, labels=labels).save(tmp_path, "x").labels) as saved:
        assert saved.mode == "P"
        np.testing.assert_array_equal(np.asarray(saved), labels)


def test_file_names_and_words_of_every_kind_come_back(tmp_path: Path) -> None:
    source = os.fsdecode(b"caf\xe9.jpg")  # Latin-1: not UTF-8, as file names may be
    result = segmented(source=source, names=("猫", "café", '"\\', "\u2028"))
    text = result.save(tmp_path, "x").json.read_text("utf-8")
    assert json.loads(text)["picture"] == source
    assert json.loads(text)["names"] == list(result.names)
    assert "猫" in text


@pytest.mark.parametrize(("source", "stem"), [("a/cat.jpg", None), (None, "cat"), ("b/dog.jpg", "cat")])
def test_saving_again_replaces(tmp_path: Path, source: str | None, stem: str | None) -> None:
    segmented(threshold=0.1, source=source).save(tmp_path, stem)
    files = segmented(threshold=0.2, source=source).save(tmp_path, stem)
    assert json.loads(files.json.read_text())["threshold"] == 0.2
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("sources", [("a/cat.jpg", "b/cat.jpg"), (None, None), ("a/picture.png", None)])
def test_another_pictures_results_are_kept(tmp_path: Path, sources: tuple[str | None, str | None]) -> None:
    first, second = (segmented(source=source).save(tmp_path) for source in sources)
    assert first.labels.name.replace(".", "-2.", 1) == second.labels.name
    assert len(list(tmp_path.iterdir())) == 6


def test_results_without_their_json_are_kept_too(tmp_path: Path) -> None:
    (tmp_path / "cat.labels.png").write_bytes(b"somebody's")
    assert segmented(source="cat.jpg").save(tmp_path).labels.name == "cat-2.labels.png"
    assert (tmp_path / "cat.labels.png").read_bytes() == b"somebody's"


@pytest.mark.parametrize("linked", [False, True])
def test_the_source_is_never_overwritten(tmp_path: Path, linked: bool) -> None:
    source = tmp_path / "cat.overlay.png"
    source.write_bytes(b"the picture")
    given = source
    if linked:
        given = tmp_path / "link.png"
        given.symlink_to(source)
    with pytest.raises(FeedsegError, match=r"cat\.overlay\.png is the picture itself"):
        segmented(source=str(given)).save(tmp_path, "cat")
    assert source.read_bytes() == b"the picture"
    assert not (tmp_path / "cat.labels.json").exists()
    segmented(source=str(given)).save(tmp_path, "dog")


@pytest.mark.parametrize("stem", ["a/b", "../a", "/a", "."])
def test_a_stem_stays_in_the_folder(tmp_path: Path, stem: str) -> None:
    with pytest.raises(FeedsegError, match="cannot begin a file's name"):
        segmented().save(tmp_path / "folder", stem)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("broken", ["x.labels.png", "x.overlay.png", "x.labels.json"])
def test_if_one_file_cannot_be_written_none_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    before = {path: path.read_bytes() for path in segmented(threshold=0.1).save(tmp_path, "x")}
    original = segmentation.write_atomically

    @contextmanager
    def full(path: Path) -> Iterator[Path]:
        with original(path) as temporary:
            yield tmp_path / "no" / "such" / "folder" if path.name == broken else temporary

    monkeypatch.setattr(segmentation, "write_atomically", full)
    with pytest.raises(FeedsegError, match=f"^cannot write .*{broken}"):
        segmented(labels=np.ones((3, 5), int), threshold=0.2).save(tmp_path, "x")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("setting", [object(), float("nan")])
def test_nothing_is_written_if_something_cannot_be_rendered(tmp_path: Path, setting: object) -> None:
    with pytest.raises((TypeError, ValueError), match="JSON"):
        segmented(settings={"host": setting}).save(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_the_json_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    original = Path.replace

    def noted(self: Path, target: Path) -> Path:
        replaced.append(target.name)
        return original(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    files = segmented().save(tmp_path)
    assert replaced[-1] == files.json.name
    assert len(replaced) == 3


def test_it_prints_without_its_arrays_and_can_be_varied() -> None:
    result = segmented()
    assert "array" not in repr(result)
    assert replace(result, threshold=0.5).threshold == 0.5
