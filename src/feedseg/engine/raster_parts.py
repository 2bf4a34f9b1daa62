"""What is finished of a raster, band by band, so that a run that was ended goes on behind it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.engine.raster_bands import Band
from feedseg.engine.unfinished import claim, release
from feedseg.files import write_atomically
from feedseg.json_files import read_json_file


class RasterParts:
    """The finished bands of one raster; they lie in a folder of their own until the whole is written."""

    def __init__(self, folder: Path, name: str, of: Mapping[str, Any], width: int, dtype: np.dtype) -> None:
        """The bands that are there already, where they are of the same.

        Args:
            folder: of the results.
            name: what tells the raster from others.
            of: all that the bands depend on, as JSON; others' are removed.
            width: of the raster.
            dtype: of the labels.
        """
        self.folder = claim(folder, "rasters", name, of)
        self._width, self._dtype = width, dtype
        self.number, self.row = 0, 0  # the next band's, and where it begins
        self.areas: np.ndarray | None = None  # of all classes so far
        self.confidence = 0.0
        while self._record(self.number).is_file():
            try:
                self._count(read_json_file(self._record(self.number)), self._read(self.number))
            except (OSError, ValueError, KeyError, TypeError, OverflowError, zlib.error):
                break  # damaged: from here on it is made anew

    def write(self, band: Band) -> None:
        """Keep the next band."""
        with write_atomically(self._labels(band.number)) as temporary:
            temporary.write_bytes(zlib.compress(band.labels.tobytes(), 1))
        content = {"start": band.start, "areas": band.areas.tolist(), "confidence": band.confidence}
        with write_atomically(self._record(band.number)) as temporary:  # last: where it is, the labels are
            temporary.write_text(json.dumps(content), encoding="utf-8")
        self._count(content, band.labels)

    def labels(self) -> Iterator[np.ndarray]:
        """The labels of every band, in order."""
        return (self._read(number) for number in range(self.number))

    def remove(self) -> None:
        """Remove all of it, and the folder above once it is empty."""
        release(self.folder)

    def _read(self, number: int) -> np.ndarray:
        content = zlib.decompress(self._labels(number).read_bytes())
        return np.frombuffer(content, self._dtype).reshape(-1, self._width)

    def _count(self, content: Mapping[str, Any], labels: np.ndarray) -> None:
        areas, confidence = np.array(content["areas"], np.int64), float(content["confidence"])
        if int(content["start"]) != self.row or areas.ndim != 1 or not isfinite(confidence):
            raise ValueError("a band of another place, or of no classes")
        self.areas = areas if self.areas is None else self.areas + areas
        self.confidence += confidence
        self.number, self.row = self.number + 1, self.row + len(labels)

    def _labels(self, number: int) -> Path:
        return self.folder / f"{number:06}.labels"

    def _record(self, number: int) -> Path:
        return self.folder / f"{number:06}.json"
