"""What there is to say of a segmented raster, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.io.raster.source import Raster
from feedseg.io.writers.json import class_entry

if TYPE_CHECKING:
    from feedseg.labelmap import LabelMap

SUFFIX = ".raster.json"


def about_raster(
    raster: Raster, example: LabelMap, areas: np.ndarray, confidence: float, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """All but the labels.

    Args:
        raster: what was segmented.
        example: of the same names, words and colours.
        areas: (classes,) int64, pixels of each; shares are of those with data.
        confidence: the sum over all pixels with data.
        provenance: "models" and "settings".
    """
    height, width = raster.size
    valid = int(areas.sum())
    dataset = raster.dataset
    return {
        "picture": raster.name,
        "raster": {
            "crs": dataset.crs.to_string() if dataset.crs else None,
            "transform": list(dataset.transform)[:6],
            "bands": list(raster.bands),
            **raster.brightness.describe(),
            "working_size": {"width": raster.working[1], "height": raster.working[0]},
            "pixels_without_data": height * width - valid,
        },
        **provenance,
        "size": {"width": width, "height": height},
        "names": list(example.names),
        "classes": [
            class_entry(example, index, int(area), float(area) / max(1, valid)) for index, area in enumerate(areas)
        ],
        "mean_confidence": confidence / valid if valid else None,
        "background": example.background,
        "threshold": example.threshold,
        "version": version("feedseg"),
    }


def encoded(about: Mapping[str, Any]) -> str:
    """The same as text."""
    return json.dumps(about, ensure_ascii=False, indent=2) + "\n"
