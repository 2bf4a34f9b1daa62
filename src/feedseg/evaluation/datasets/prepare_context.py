"""PASCAL Context: masks of 59 classes and background from `trainval_merged.json` of PASCAL in Detail."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.prepare_rle import decode_mask
from feedseg.evaluation.toml_files import RAW_VALUES, read_toml
from feedseg.json_files import parse_json

ANNOTATIONS = "trainval_merged.json"
PHASE = "val"
LONGEST_SIDE = 20_000  # pixels of an image


@dataclass(frozen=True)
class Regions:
    """The annotated regions of one image."""

    source: Path
    name: str  # of the image, without suffix
    size: tuple[int, int]  # height, width
    regions: tuple[tuple[int, Any], ...]  # category id and run-length encoded mask; later ones lie on top

    def labels(self) -> np.ndarray:
        """(height, width), uint8: 1 to 59, and 0 where nothing lies.

        Raises:
            FeedsegError: an unknown category, or a mask that cannot be decoded.
        """
        table = {category: label for label, category in enumerate(category_ids(), start=1)}
        labels = np.zeros(self.size, np.uint8)
        for category, region in self.regions:
            origin = f"{self.source}, image {self.name}"
            if category not in table:
                raise FeedsegError(f"{origin}: category {category} is none of the 59 classes")
            try:
                size = tuple(region["size"])
                inside = decode_mask(region["counts"], self.size)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise FeedsegError(f"{origin}: a region is not run-length encoded (size, counts)") from error
            except FeedsegError as error:
                raise FeedsegError(f"{origin}: {error}") from error
            if size != self.size:
                raise FeedsegError(f"{origin}: a region has the size {size}, the image {self.size}")
            labels[inside] = table[category]
        return labels


def category_ids() -> tuple[int, ...]:
    """The categories of the 59 classes, in the order of the classes."""
    return tuple(read_toml(RAW_VALUES)["context"]["ids"])


def read_regions(path: Path, names: tuple[str, ...]) -> Iterator[Regions]:
    """The images of the validation split with their regions, sorted by name.

    Args:
        path: the JSON file: `images` (file_name, image_id, phase, height, width), `annos_segmentation` (image_id,
            category_id, segmentation), `categories` (category_id, name).
        names: of the 59 classes; a file that calls a category otherwise gives a warning.

    Raises:
        FeedsegError: the file cannot be read or has another layout.
    """
    try:
        content = parse_json(path.read_bytes())
    except OSError as error:
        raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise FeedsegError(f"{path} is not JSON: {error}") from error
    try:
        _compare_names(path, content.get("categories", ()), names)
        images = {entry["image_id"]: entry for entry in content["images"] if entry["phase"] == PHASE}
        regions: dict[Any, list[tuple[int, Any]]] = defaultdict(list)
        for entry in content["annos_segmentation"]:
            if entry["image_id"] in images:
                regions[entry["image_id"]].append((entry["category_id"], entry["segmentation"]))
        found = [
            Regions(
                path,
                PurePosixPath(entry["file_name"]).stem,
                (int(entry["height"]), int(entry["width"])),
                tuple(regions[key]),
            )
            for key, entry in images.items()
        ]
        if wrong := next((one for one in found if not 0 < min(one.size) <= max(one.size) <= LONGEST_SIDE), None):
            raise ValueError(f"the size {wrong.size} of {wrong.name}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FeedsegError(f"{path} has not the layout of {ANNOTATIONS}: {error!r} is missing or wrong") from error
    if not found:
        raise FeedsegError(f"{path} has no images of the phase {PHASE!r}")
    yield from sorted(found, key=lambda one: one.name)


def _compare_names(path: Path, categories: Any, names: tuple[str, ...]) -> None:
    theirs = {entry["category_id"]: entry["name"] for entry in categories}
    for category, name in zip(category_ids(), names, strict=True):
        there = theirs.get(category, name)
        if "".join(there.lower().split()) != name:
            warnings.warn(f"{path} calls category {category} {there!r}, not {name!r}", UserWarning, stacklevel=3)
