"""COCO's JSON with masks as run lengths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from feedseg.io.exports.base import Export
from feedseg.io.objects import class_numbers, counted_objects

if TYPE_CHECKING:
    from feedseg.io.results import Results, SavedResult


class CocoExport(Export):
    """An annotation for each class of an image, or for each connected region where they are objects of their own.

    Images are numbered from 1 in the order of their paths; a category's id is its place among the words, from 1,
    whatever occurs; the background has none. File names are relative to the folder that holds all images.
    """

    name = "coco"
    file = "coco.json"
    description = "COCO JSON with run lengths"
    packages = ("pycocotools",)

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        names, background = results.classes
        ids = {index: number + 1 for index, number in class_numbers(names, background).items()}
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(
                f'{{"info":{_json({"description": "feedseg", "version": version("feedseg")})},\n"licenses":[],\n'
            )
            categories = ({"id": number, "name": names[index], "supercategory": ""} for index, number in ids.items())
            _write_list(file, "categories", categories)
            file.write(",\n")
            _write_list(file, "images", _images(results))
            file.write(",\n")
            _write_list(file, "annotations", self._annotations(results, ids))
            file.write("}\n")

    def _annotations(self, results: Results, ids: dict[int, int]) -> Iterator[dict[str, Any]]:
        number = 0
        for image, result in enumerate(results, 1):
            for label, pixels, box, segmentation in self.objects(result):
                number += 1
                yield {
                    "id": number,
                    "image_id": image,
                    "category_id": ids[label],
                    "segmentation": segmentation,
                    "area": pixels,
                    "bbox": list(box),
                    "iscrowd": 0,
                }

    def objects(self, result: SavedResult) -> Iterator[tuple[int, int, tuple[int, int, int, int], Any]]:
        """Label, pixels, box and segmentation of every object of an image."""
        from pycocotools import mask

        width, height = result.size
        for one in counted_objects(result):
            packed: Any = mask.frPyObjects({"size": [height, width], "counts": one.counts}, height, width)  # pyright: ignore
            yield one.label, one.pixels, one.box, {"size": [height, width], "counts": packed["counts"].decode("ascii")}


def _images(results: Results) -> Iterator[dict[str, Any]]:
    for number, (name, record) in enumerate(zip(results.pictures, results.records(), strict=True), 1):
        width, height = record.size
        yield {"id": number, "file_name": name, "width": width, "height": height}


def _write_list(file: TextIO, name: str, items: Iterator[dict[str, Any]]) -> None:
    """`"name":[…]`, an item a line, each as soon as it is there."""
    file.write(f'"{name}":[')
    separator = "\n"
    for item in items:
        file.write(separator + _json(item))
        separator = ",\n"
    file.write("\n]")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


EXPORT = CocoExport()
