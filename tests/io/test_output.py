import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io import packages
from feedseg.io.cleaning import Regions
from feedseg.io.exports.base import Export
from feedseg.io.output import Output
from feedseg.io.results import Results, read_result
from feedseg.io.writers.base import Writer
from feedseg.segmentation import Segmentation

NAMES = ("background", "cat", "dog")
LABELS = np.array([[0, 0, 1, 1], [0, 0, 1, 2], [0, 0, 1, 1]])


def segmented(labels: np.ndarray = LABELS, **changes: object) -> Segmentation:
    shape = labels.shape
    fields = {
        "names": NAMES,
        "background": True,
        "confidence": np.ones(shape),
        "image": np.zeros((*shape, 3), np.uint8),
    }
    return Segmentation(labels=labels, **(fields | changes))  # pyright: ignore


class Sizes(Export):
    """An export of somebody's own."""

    name, file, description = "sizes", "sizes.txt", "the sizes of all images"

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        path.write_text("feedseg\n" + "".join(f"{record.size}\n" for record in results.records()))


class Wide(Writer):
    """A writer of somebody's own."""

    name, suffix, description = "wide", ".wide.txt", "whether it is wide"

    def encode(self, result: Segmentation) -> bytes:
        """See `Writer.encode`."""
        return str(result.size[0] > result.size[1]).encode()


@pytest.mark.parametrize(
    ("formats", "writers", "exports"),
    [
        (None, ["labels", "overlay", "json"], []),
        (["overlay"], ["overlay", "json"], []),
        (["labels", "masks", "labels"], ["labels", "masks", "json"], []),
        (["csv"], ["labels", "json"], ["csv"]),
        (["yolo"], ["yolo", "labels", "json"], ["yolo"]),
        (["coco-polygons", "geojson", "cvat", "cvat"], ["geojson", "labels", "json"], ["coco-polygons", "cvat"]),
        ([Sizes(), Wide()], ["wide", "labels", "json"], ["sizes"]),
    ],
)
def test_what_formats_come_to(formats: list | None, writers: list[str], exports: list[str]) -> None:
    output = Output.of(formats)
    assert [writer.name for writer in output.writers] == writers
    assert [export.name for export in output.exports] == exports
    assert output.describe() == {"formats": writers} | ({"exports": exports} if exports else {})
    assert pickle.loads(pickle.dumps(output)).describe() == output.describe()


def test_ones_own_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_formats.py").write_text(
        """
from feedseg.io.exports.base import Export
from feedseg.io.writers.base import Writer

class Sizes(Export):
    name, file, description = "sizes", "sizes.txt", "sizes"
    def fill(self, results, path):
        path.write_text("feedseg" + str([record.size for record in results.records()]))

class Wide(Writer):
    name, suffix, description = "wide", ".wide.txt", "whether it is wide"
    def encode(self, result):
        return b"wide"
"""
    )
    output = Output.of(["own_formats:Sizes", "own_formats:Wide"])
    files = output.save(segmented(), tmp_path, "x")
    assert files is not None
    assert files.wide.read_bytes() == b"wide"
    assert output.export(tmp_path, [files.json])["sizes"].read_text() == "feedseg[(4, 3)]"


@pytest.mark.parametrize(
    ("formats", "complaint"),
    [
        (["coko"], "no format 'coko'; did you mean coco"),
        ([], "no format to save in: there are coco, "),
        (["no.such:Format"], "cannot be imported"),
        ([Sizes(), Sizes()], "two of the formats write sizes.txt"),
    ],
)
def test_formats_that_are_none(formats: list, complaint: str) -> None:
    with pytest.raises(FeedsegError, match=complaint):
        Output.of(formats)


def test_a_missing_package_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda package: None)
    with pytest.raises(FeedsegError, match=r"'parquet' needs pyarrow: pip install 'feedseg\[formats\]'"):
        Output.of(["parquet"])


def test_whether_scores_are_needed() -> None:
    assert Output.of(["scores"]).needs_scores
    assert not Output.of(["confidence"]).needs_scores
    assert Output.of(["scores", "confidence", "cutouts"]).only_while_segmenting == ["scores", "confidence"]


def test_results_are_cleaned_once(tmp_path: Path) -> None:
    output = Output.of(["csv"], regions=Regions(2, connected=True))
    result = output.clean(segmented())
    assert result.pixels == {"background": 6, "cat": 6, "dog": 0}
    assert output.clean(result) is result
    files = output.save(segmented(), tmp_path, "x")
    assert files is not None
    saved = read_result(files.json)
    assert saved.regions == output.regions
    np.testing.assert_array_equal(saved.labels, result.labels)
    assert output.describe()["regions"] == {"min_area": 2, "connected": True}


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"only_with": ["dog"]}, True),
        ({"only_with": ["dog"], "regions": Regions(2)}, False),
        ({"only_with": ["bird", "cat"]}, True),
        ({"only_with": ["bird"]}, False),
        ({"only_without": ["bird"]}, True),
        ({"only_without": ["bird", "dog"]}, False),
        ({"only_without": ["dog"], "regions": Regions(2)}, True),
        ({"only_with": ["cat"], "only_without": ["dog"]}, False),
    ],
)
def test_which_results_are_kept(tmp_path: Path, options: dict, kept: bool) -> None:
    output = Output.of(**options)
    files = output.save(segmented(names=(*NAMES, "bird")), tmp_path / "out", "x")
    assert (files is not None) == kept
    assert (tmp_path / "out").exists() == kept
    for name in ("only_with", "only_without"):
        assert output.describe().get(name, []) == options.get(name, [])


def test_unknown_classes_are_said_before_the_run(tmp_path: Path) -> None:
    Output.of(only_with=["cat"], only_without=["dog"]).check_classes(NAMES)
    with pytest.raises(FeedsegError, match="not 'cats': did you mean cat"):
        Output.of(only_without=["cats"]).check_classes(NAMES)


def test_somebody_elses_export_is_said_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("a,b\n")
    with pytest.raises(FeedsegError, match=r"results\.csv is there and was not written by feedseg"):
        Output.of(["csv"]).check_places(tmp_path)


def test_exports_of_a_run_without_results_are_none(tmp_path: Path) -> None:
    def nothing() -> Iterator[Path]:
        yield from ()

    assert Output.of(["csv"]).export(tmp_path, nothing()) == {}
    assert list(tmp_path.iterdir()) == []


def test_regions_in_python() -> None:
    result = segmented()
    cleaned = result.with_regions(min_area="10%", fill_holes=True)
    assert isinstance(cleaned, Segmentation)
    assert cleaned.pixels["dog"] == 0
    assert result.pixels["dog"] == 1
    assert cleaned.to_dict()["regions"] == {"min_area": "10%", "fill_holes": True}
    assert cleaned.with_regions(connected=True).regions == Regions("10%", True, True)
    np.testing.assert_array_equal(cleaned.confidence, result.confidence)


def test_chosen_colours_are_in_every_file(scene: Callable[..., Segmentation], tmp_path: Path) -> None:
    output = pickle.loads(pickle.dumps(Output.of(colours={"dog": (1, 2, 3)})))
    files = output.save(scene(), tmp_path, "a")
    assert files is not None
    with Image.open(files.labels) as labels:
        assert np.asarray(labels.convert("RGB"))[10, 15].tolist() == [1, 2, 3]
    assert json.loads(files.json.read_text())["classes"][1]["colour"] == "#010203"
    assert output.clean(scene()).palette[1].tolist() == [1, 2, 3]


def test_what_decides_the_files_is_described(scene: Callable[..., Segmentation]) -> None:
    plain, chosen = Output.of(["labels"]), Output.of(["labels"], colours={"dog": (1, 2, 3)})
    assert chosen.describe() == plain.describe() | {"colours": {"dog": "#010203"}}
    assert plain.clean(result := scene()) is result
