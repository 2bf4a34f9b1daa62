"""Rows hold a result, and Parquet holds rows."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.table import columns_of, encoded, labels_of, row_of, schema
from feedseg.segmentation import Segmentation

parquet = pytest.importorskip("pyarrow.parquet")


def segmentation(labels: np.ndarray, **more: Any) -> Segmentation:
    random = np.random.default_rng(1)
    arrays = {"confidence": random.random(labels.shape, np.float32), "image": np.zeros((*labels.shape, 3), np.uint8)}
    return Segmentation(labels=labels, names=("sky", "cat", "dog", "nowhere"), **arrays, **more)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (7, 11))


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("connected", [False, True])
def test_the_labels_are_had_again_from_a_row(labels: np.ndarray, background: bool, connected: bool) -> None:
    result = segmentation(labels, background=background).with_regions(connected=connected)
    (row,) = parquet.read_table(BytesIO(encoded([row_of(result, "a", "b")]))).to_pylist()
    np.testing.assert_array_equal(labels_of(row), labels)
    assert (len(row["objects"]) > 3) == connected


def test_run_lengths_are_those_of_coco(labels: np.ndarray) -> None:
    mask = pytest.importorskip("pycocotools.mask")
    row = row_of(segmentation(labels, background=True), "a", "b")
    for one in row["objects"]:
        packed = mask.frPyObjects({"size": labels.shape, "counts": one["counts"]}, *labels.shape)
        np.testing.assert_array_equal(mask.decode(packed), labels == one["index"])
        assert mask.toBbox(packed).tolist() == [one[side] for side in ("x", "y", "width", "height")]


def test_a_row_says_what_the_result_says(labels: np.ndarray) -> None:
    models = {"model": {"name": "photo", "revision": "1"}}
    result = segmentation(labels, models=models, settings={"device": "cpu"}, notes=("dark",))
    row = row_of(result, "photos/a.png", "12", "a")
    assert [one["name"] for one in row["classes"]] == [*result.names]
    assert sum(one["fraction"] for one in row["classes"]) == pytest.approx(1)
    for index, one in enumerate(row["classes"]):
        assert one["pixels"] == int((labels == index).sum())
    cat = row["classes"][1]["confidence"]
    assert cat == pytest.approx(result.confidence[labels == 1].mean())
    assert row["classes"][3]["confidence"] is None
    assert (row["key"], row["sha256"], row["stem"], row["model"]) == ("photos/a.png", "12", "a", "photo")
    assert (row["settings"], row["notes"], row["width"], row["height"]) == ('{"device": "cpu"}', ["dark"], 11, 7)
    assert {*row} == {*schema().names}


def test_equal_rows_are_equal_bytes_and_any_name_of_a_file_is_held(labels: np.ndarray) -> None:
    row = row_of(segmentation(labels, notes=("of \udcff.png",)), "\udcff.png", "b")
    assert encoded([row]) == encoded([row])
    assert columns_of(BytesIO(encoded([row])), ("key", "notes"), "it") == [
        {"key": "\\udcff.png", "notes": ["of \\udcff.png"]}
    ]


def test_what_is_no_part_is_told(labels: np.ndarray) -> None:
    content = encoded([row_of(segmentation(labels), "a", "b")])
    for damaged in (content[:-20], content[:100], b"", b"PAR1"):
        with pytest.raises(FeedsegError, match=r"^it is damaged .*: delete it, and what it holds is computed again$"):
            columns_of(BytesIO(damaged), ("key",), "it")
    with pytest.raises(FeedsegError, match="it is damaged"):
        columns_of(BytesIO(content), ("none",), "it")


def test_readers_of_tables_pass_over_what_is_no_part(labels: np.ndarray, tmp_path: Path) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")
    (tmp_path / "part-1.parquet").write_bytes(encoded([row_of(segmentation(labels), "a", "b")]))
    for name in ("_feedseg.json", "_failed.jsonl"):
        (tmp_path / name).write_text("{}")
    assert dataset.dataset(tmp_path).count_rows() == 1
