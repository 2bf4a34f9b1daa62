"""CVAT's zip as datumaro reads it, and by the format's description where datumaro is not installed."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.exports.cvat import EXPORT, voc_colours
from feedseg.io.results import Results


def unpacked(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def pixels(content: bytes) -> np.ndarray:
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def test_masks_in_the_labels_colours(results: Results, tmp_path: Path) -> None:
    files = unpacked(EXPORT.write(results, tmp_path))
    assert files["ImageSets/Segmentation/default.txt"].decode().splitlines() == ["b", "x/a"]
    lines = files["labelmap.txt"].decode().splitlines()
    assert lines[0].startswith("#")
    colours = {name: tuple(map(int, colour.split(","))) for name, colour, *_ in (line.split(":") for line in lines[1:])}
    assert colours == {
        "background": (0, 0, 0),
        "cat": (128, 0, 0),
        "grass": (0, 128, 0),
        "traffic light": (128, 128, 0),
    }
    for stem, result in zip(("b", "x/a"), results, strict=True):
        expected = np.array([colours[name] for name in result.names], np.uint8)[result.labels]
        np.testing.assert_array_equal(pixels(files[f"SegmentationClass/{stem}.png"]), expected)


@pytest.mark.parametrize("kind", ["results", "separate"])
def test_datumaro_reads_it(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dm = pytest.importorskip("datumaro")
    results: Results = request.getfixturevalue(kind)
    with ZipFile(EXPORT.write(results, tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    found = dm.Dataset.import_from(str(tmp_path / "unpacked"), "voc_segmentation")
    names = [label.name for label in found.categories()[dm.AnnotationType.label]]
    assert names == ["background", "cat", "grass", "traffic light"]
    items = {item.id: item for item in found}
    for stem, result in zip(("b", "x/a"), results, strict=True):
        decoded = np.zeros(result.labels.shape, int)
        for mask in items[stem].annotations:
            decoded[mask.image.astype(bool)] = mask.label
        np.testing.assert_array_equal(decoded, result.labels)
        objects = len({mask.group for mask in items[stem].annotations})
        assert objects == 3 if kind == "results" else objects > 3


def test_without_a_background_all_classes_have_colours(saved: Callable[..., list[Path]], tmp_path: Path) -> None:
    results = Results(saved(background=False, names=("sky", "cat", "grass", "sea"), synonyms=()))
    files = unpacked(EXPORT.write(results, tmp_path))
    assert files["labelmap.txt"].decode().splitlines()[1:3] == ["background:0,0,0::", "sky:128,0,0::"]
    assert pixels(files["SegmentationClass/b.png"]).any(axis=2).all()
    assert pixels(files["SegmentationObject/b.png"]).any(axis=2).all()


def test_colours_are_vocs_and_all_different() -> None:
    colours = voc_colours(70_000)
    assert colours[[1, 2, 3, 15, 255]].tolist() == [
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [192, 128, 128],
        [224, 224, 192],
    ]
    assert len(np.unique(colours, axis=0)) == len(colours)


@pytest.mark.parametrize("name", ["a:b", "#a"])
def test_a_name_that_the_list_of_labels_cannot_hold(
    saved: Callable[..., list[Path]], tmp_path: Path, name: str
) -> None:
    results = Results(saved(names=("background", name, "grass", "sea")))
    with pytest.raises(FeedsegError, match=rf"cannot hold the class '{name}'"):
        EXPORT.write(results, tmp_path / "exported")
    assert list((tmp_path / "exported").glob("*")) == []


def test_images_that_cvat_does_not_tell_apart(saved: Callable[..., list[Path]], tmp_path: Path) -> None:
    records = [*saved(pictures=("photos/a.jpg",)), *saved(pictures=("photos/x/a.png",))]
    assert EXPORT.write(Results(records), tmp_path).is_file()
    records = [*saved(pictures=("photos/1/a.jpg",)), *saved(pictures=("photos/2/a.png",))]
    records[1].write_text(records[1].read_text().replace("photos/2/a.png", "photos/1/a.png"))
    with pytest.raises(FeedsegError, match=r"does not tell a\.jpg from a\.png"):
        EXPORT.write(Results(records), tmp_path)
