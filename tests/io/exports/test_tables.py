"""The tables: CSV by the standard library, Parquet by pyarrow; and YOLO's list by PyYAML."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from feedseg.io.exports import EXPORTS
from feedseg.io.results import Results


def test_a_row_for_each_image_and_class(results: Results, tmp_path: Path) -> None:
    with EXPORTS.load("csv").write(results, tmp_path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    images = list(results)
    for number, row in enumerate(rows):
        result, index = images[number // 4], number % 4
        assert row["file"] == ("b.jpg", "x/a.png")[number // 4]
        assert (int(row["width"]), int(row["height"])) == result.size
        assert row["class"] == result.names[index]
        assert row["words"].split("; ") == list(result.synonyms[index])
        assert int(row["pixels"]) == result.pixels[row["class"]]
        assert float(row["fraction"]) == result.area_fractions[row["class"]]
        assert float(row["mean_confidence"]) == result.class_confidence[index]
        assert row["model"] == "photo"
    assert len({row["settings"] for row in rows}) == 1


def test_parquet_has_the_same_rows_with_types(results: Results, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with EXPORTS.load("csv").write(results, tmp_path).open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    table = parquet.read_table(EXPORTS.load("parquet").write(results, tmp_path))
    assert [{name: str(value) for name, value in row.items()} for row in table.to_pylist()] == expected
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["pixels"], kinds["fraction"], kinds["class"]) == ("int64", "double", "string")


def test_other_settings_have_another_digest(saved: Callable[..., list[Path]]) -> None:
    digests = {
        next(iter(Results(saved(**changes)).records())).digest
        for changes in ({}, {"settings": {"host": "sclip"}}, {"threshold": 0.5}, {"models": {}})
    }
    assert len(digests) == 4


def test_yolos_list_of_classes(saved: Callable[..., list[Path]], tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    results = Results(saved(names=("background", "no", "a: #b", '"猫"\u2028')))
    content = yaml.safe_load(EXPORTS.load("yolo").write(results, tmp_path).read_text(encoding="utf-8"))
    assert content == {
        "path": ".",
        "train": "images",
        "val": "images",
        "names": {0: "no", 1: "a: #b", 2: '"猫"\u2028'},
    }
