"""A segmentation as an answer: masks that programs can use, not drawings."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from feedseg.apps.service.asked import Form
from feedseg.io.writers.labels import WRITER as LABELS
from feedseg.segmentation import Segmentation


def labels_png(result: Segmentation) -> bytes:
    """The class of every pixel as an indexed PNG; beyond 256 classes a 16-bit grey one."""
    return LABELS.encode(result)


def answer(result: Segmentation, form: Form) -> dict[str, Any]:
    """All that a result says, with its masks as `form` says, as JSON has it."""
    height, width = result.labels.shape
    fractions = result.area_fractions
    classes: list[dict[str, Any]] = [
        {
            "index": index,
            "name": name,
            "words": list(result.synonyms[index]) if result.synonyms else [name],
            "pixels": int(pixels),
            "area_fraction": fractions[name],
            "mean_confidence": result.class_confidence[index],
        }
        for index, (name, pixels) in enumerate(result.pixels.items())
    ]
    if form == "rle":
        for one in classes:
            one["mask"] = run_lengths(result.labels == one["index"]) if one["pixels"] else None
    return {
        "width": width,
        "height": height,
        "classes": classes,
        **({"labels_png": base64.b64encode(labels_png(result)).decode("ascii")} if form == "png" else {}),
        "background": result.background,
        "threshold": result.threshold,
        "mean_confidence": result.mean_confidence,
        "models": {role: dict(model) for role, model in result.models.items()},
        "settings": dict(result.settings),
    }


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO's compressed run lengths of a mask (height, width): {"size": [height, width], "counts": text}."""
    from pycocotools import mask as coco

    packed: Any = coco.encode(np.asfortranarray(mask, np.uint8))  # pyright: ignore
    return {"size": [int(side) for side in packed["size"]], "counts": packed["counts"].decode("ascii")}
