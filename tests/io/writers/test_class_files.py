"""A file for each class: masks and cut-outs."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from feedseg.io.writers.cutouts import WRITER as CUTOUTS
from feedseg.io.writers.masks import WRITER as MASKS
from feedseg.segmentation import Segmentation

Make = Callable[..., Segmentation]


def opened(content: bytes) -> Image.Image:
    with Image.open(BytesIO(content)) as image:
        image.load()
        return image


def test_a_mask_for_each_class_that_occurs(segmented: Make) -> None:
    result = segmented()
    files = MASKS.files(result)
    assert list(files) == [".background.mask.png", ".cat.mask.png", ".grass.mask.png"]
    for name in ("background", "cat", "grass"):
        image = opened(files[f".{name}.mask.png"])
        assert (image.format, image.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(image), result.mask(name) * 255)


def test_cut_outs_show_their_class_and_nothing_else(segmented: Make) -> None:
    result = segmented(image=np.full((3, 5, 3), 77, np.uint8))
    files = CUTOUTS.files(result)
    assert list(files) == [".cat.cutout.png", ".grass.cutout.png"]
    image = opened(files[".cat.cutout.png"])
    assert (image.format, image.mode) == ("PNG", "RGBA")
    expected = np.where(result.mask("cat")[..., None], [77, 77, 77, 255], 0)
    np.testing.assert_array_equal(np.asarray(image), expected)
    assert ".background.cutout.png" in CUTOUTS.files(segmented(background=False))


def test_where_they_are_saved(segmented: Make, tmp_path: Path) -> None:
    files = segmented().save(tmp_path, "x", formats=["labels", "masks", "json"])
    assert {name: path.name for name, path in files.by_format.items()} == {
        "labels": "x.labels.png",
        "masks.background": "x.background.mask.png",
        "masks.cat": "x.cat.mask.png",
        "masks.grass": "x.grass.mask.png",
        "json": "x.labels.json",
    }
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_of_an_earlier_result_no_class_is_left(segmented: Make, tmp_path: Path) -> None:
    segmented().save(tmp_path, "x", formats=["masks", "json"])
    other = segmented().save(tmp_path, "x.cat", formats=["masks", "json"])  # whose names begin alike
    names = ("background", "dog", "grass", "Zebra")
    files = segmented(names=names).save(tmp_path, "x", formats=["masks", "json"])
    assert sorted(tmp_path.iterdir()) == sorted([*files, *other])
    files = segmented(labels=np.zeros((3, 5), int), names=names).save(tmp_path, "x", formats=["masks", "json"])
    assert sorted(tmp_path.iterdir()) == sorted([*files, *other])
    assert json.loads(files.json.read_text())["names"] == list(names)
