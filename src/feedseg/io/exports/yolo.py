"""The list of classes that goes with YOLO's texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from feedseg.io.exports.base import Export
from feedseg.io.objects import class_numbers

if TYPE_CHECKING:
    from feedseg.io.results import Results


class YoloExport(Export):
    """`data.yaml` for a folder with the images in `images` and the texts in `labels`."""

    name = "yolo"
    file = "data.yaml"
    description = "polygons as YOLO has them, with the run's data.yaml"

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        names, background = results.classes
        lines = ["# written by feedseg", "path: .", "train: images", "val: images", "names:"]
        # JSON's strings are YAML's, whatever a name holds.
        lines += [
            f"  {number}: {json.dumps(names[index])}" for index, number in class_numbers(names, background).items()
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


EXPORT = YoloExport()
