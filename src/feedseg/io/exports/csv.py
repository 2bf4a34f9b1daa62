"""A table of all results: a row for each image and class."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.io.exports.base import Export

if TYPE_CHECKING:
    from feedseg.io.results import Results

# name -> type of the columns; "feedseg" is the version that made the result
COLUMNS: dict[str, type] = {
    "file": str,
    "width": int,
    "height": int,
    "class": str,
    "words": str,
    "pixels": int,
    "fraction": float,
    "mean_confidence": float,
    "model": str,
    "settings": str,
    "feedseg": str,
}


class CsvExport(Export):
    """UTF-8 with a header; semicolons between words; `settings` is the same for results made in the same way."""

    name = "csv"
    file = "results.csv"
    description = "a row for each image and class"

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(rows(results))


def rows(results: Results) -> Iterator[dict[str, Any]]:
    """The rows by image and class, those of classes without pixels too; a mean of no pixels is None."""
    for name, record in zip(results.pictures, results.records(), strict=True):
        width, height = record.size
        content = record.content
        for one in content["classes"]:
            yield {
                "file": name,
                "width": width,
                "height": height,
                "class": one["name"],
                "words": "; ".join(one["words"]),
                "pixels": one["pixels"],
                "fraction": one["pixels"] / (width * height),
                "mean_confidence": one.get("mean_confidence"),
                "model": content["models"].get("model", {}).get("name"),
                "settings": record.digest,
                "feedseg": content["version"],
            }


EXPORT = CsvExport()
