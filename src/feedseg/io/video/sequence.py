"""Label maps of a video as numbered PNGs in one ZIP file, for programs that read no FFV1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from feedseg.io.writers.labels import WRITER

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

SUFFIX = ".labels.zip"


def write_sequence(path: Path, frames: Iterable[tuple[int, np.ndarray]], example: Segmentation) -> None:
    """Write a PNG for every frame, as those of images are: `000000.png` for frame 0.

    Args:
        path: of the ZIP file. Its bytes depend on the labels alone.
        frames: their numbers and labels, (height, width) uint8 or uint16.
        example: with the names and the colours of all.
    """
    with ZipFile(path, "w", ZIP_STORED) as file:  # what is in it is compressed already
        for number, labels in frames:
            content = WRITER.encode(replace(example, labels=labels))
            file.writestr(ZipInfo(f"{number:06}.png"), content)
