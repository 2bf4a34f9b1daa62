"""What YOLO's segmentation models are trained with: a text for each image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from feedseg.io.objects import class_numbers, traced_objects
from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from feedseg.labelmap import LabelMap


class YoloWriter(Writer):
    """A line for each connected region: the class's number, then x and y of a polygon's corners as parts of the size.

    The format has no holes and one polygon a line, so a class has as many lines as regions, and a cut without width
    leads to each hole. The background has no lines and no number: classes are numbered from 0 without it, as in the
    export's `data.yaml`.
    """

    name = "yolo"
    suffix = ".txt"
    description = "polygons as YOLO has them, with the run's data.yaml"

    def encode(self, result: LabelMap) -> bytes:
        """See `Writer.encode`."""
        numbers = class_numbers(result.names, result.background)
        size = np.array(result.size)
        lines = []
        for one in traced_objects(result):
            for outline in one.outlines:
                corners = (outline.in_one() / size).ravel().tolist()
                lines.append(" ".join((str(numbers[one.label]), *(f"{value:.6f}" for value in corners))))
        return "".join(f"{line}\n" for line in lines).encode()

    def recognises(self, path: Path) -> bool:
        """See `Writer.recognises`: captions, say, are texts beside photographs too."""
        return bool(re.fullmatch(rb"(\d+( [01]\.\d{6})+\n)*", path.read_bytes()))


WRITER = YoloWriter()
