import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.segmentation import SavedFiles, Segmentation

NAMES = ("background", "cat", "grass", "Zebra")


def segmented(classes: int = len(NAMES), **changes: Any) -> Segmentation:
    """Three by five pixels: eight of background, four of cat, three of grass, none of the others."""
    names = (*NAMES, *(f"class {index}" for index in range(len(NAMES), classes)))
    labels = np.array([[0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 2, 2, 2]])
    confidence = np.linspace(0, 1, 15).reshape(3, 5)
    image = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)
    fields = {"labels": labels, "confidence": confidence, "names": names, "image": image, "background": True}
    return Segmentation(**(fields | changes))


def test_what_it_counts() -> None:
    result = segmented()
    assert result.size == (5, 3)
    assert result.pixels == {"background": 8, "cat": 4, "grass": 3, "Zebra": 0}
    assert list(result.pixels) == list(NAMES)
    assert result.area_fractions == {"background": 8 / 15, "cat": 4 / 15, "grass": 3 / 15, "Zebra": 0}
    assert result.mean_confidence == pytest.approx(0.5)


def test_many_small_confidences_do_not_drown() -> None:
    confidence = np.full((3000, 3000), 0.1, np.float32)
    labels = np.zeros((3000, 3000), np.uint8)
    result = segmented(labels=labels, confidence=confidence, image=np.zeros((3000, 3000, 3), np.uint8))
    assert result.mean_confidence == pytest.approx(0.1, rel=1e-6)


def test_masks_part_the_image() -> None:
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
        ({"image": np.zeros((3, 5), np.uint8)}, "image must be"),
        ({"image": np.zeros((3, 5, 3))}, "image must be"),
        ({"names": ()}, "names must be"),
        ({"names": ("a", "b", "a")}, "names must be"),
        ({"synonyms": (("a",),)}, "synonyms must be"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        segmented(**changes)


def test_it_prints_without_its_arrays_and_can_be_varied() -> None:
    result = segmented()
    assert "array" not in repr(result)
    assert replace(result, threshold=0.5).threshold == 0.5


ARRAYS = ("labels", "confidence", "image")


@pytest.mark.parametrize("classes", [4, 300])
def test_arrays_that_the_caller_changes_later_change_nothing(classes: int) -> None:
    given = {
        "labels": np.zeros((3, 5), np.uint8 if classes <= 256 else np.uint16),
        "confidence": np.zeros((3, 5), np.float32),
        "image": np.zeros((3, 5, 3), np.uint8),
    }
    result = segmented(classes, **given)
    for array in given.values():
        array[...] = 1
    for name in ARRAYS:
        assert not getattr(result, name).any(), name
    assert result.pixels["background"] == 15


def test_words_and_settings_that_the_caller_changes_later_change_nothing() -> None:
    settings, models, names = {"sizes": [1, 2]}, {"model": {"name": "a"}}, [*map(str, NAMES)]
    result = segmented(settings=settings, models=models, names=names)
    settings["sizes"].append(3)
    models["model"]["name"] = names[0] = "b"
    assert (result.settings, result.models) == ({"sizes": [1, 2]}, {"model": {"name": "a"}})
    assert result.names == NAMES


def test_what_it_counts_can_be_changed_without_changing_it() -> None:
    result = segmented()
    result.pixels.clear()
    result.area_fractions.clear()
    assert result.pixels["cat"] == 4


def copies(result: Segmentation) -> list[Segmentation]:
    return [result, replace(result), copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))]


def test_nothing_of_a_result_can_be_written_nor_of_its_copies() -> None:
    result = segmented(source="a.png", settings={"host": "clip"})
    for one in copies(result):
        for name in ARRAYS:
            array = getattr(one, name)
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 0
            np.testing.assert_array_equal(array, getattr(result, name))
        for field in fields(one):
            with pytest.raises(FrozenInstanceError):
                setattr(one, field.name, None)
        assert one.to_dict() == result.to_dict()


def test_a_mask_is_the_callers() -> None:
    segmented().mask("cat")[:] = False


def test_large_arrays_that_are_handed_over_are_not_copied() -> None:
    labels, confidence = np.zeros((3, 5), np.uint8), np.zeros((3, 5), np.float32)
    labels.flags.writeable = confidence.flags.writeable = False
    result = segmented(labels=labels, confidence=confidence)
    assert np.shares_memory(result.labels, labels)
    assert np.shares_memory(result.confidence, confidence)


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)))
def test_areas_are_those_of_the_masks(labels: np.ndarray) -> None:
    shape = labels.shape
    result = segmented(labels=labels, confidence=np.ones(shape), image=np.zeros((*shape, 3), np.uint8))
    assert result.pixels == {name: int(result.mask(name).sum()) for name in NAMES}
    assert sum(result.area_fractions.values()) == pytest.approx(1)


def test_old_names_still_answer_with_a_warning() -> None:
    result = segmented()
    with pytest.warns(DeprecationWarning, match="area_fractions"):
        assert result.shares == result.area_fractions
    with pytest.warns(DeprecationWarning, match=r"Segmentation\.image"):
        assert result.picture is result.image


def test_saving_writes_three_files(tmp_path: Path) -> None:
    result = segmented(source="some/where/tom.cat.jpg")
    files = result.save(tmp_path / "new" / "folder")
    assert isinstance(files, SavedFiles)
    assert [path.name for path in files] == ["tom.cat.labels.png", "tom.cat.overlay.jpg", "tom.cat.labels.json"]
    with Image.open(files.labels) as labels:
        np.testing.assert_array_equal(np.asarray(labels), result.labels)
    with Image.open(files.overlay) as overlay:
        assert overlay.size == result.overlay().size
    assert json.loads(files.json.read_text("utf-8")) == result.to_dict()
