"""What there is to say of a segmented video, and of every frame, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.io.writers.json import class_entry

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

SUFFIX = ".frames.json"


@dataclass(frozen=True, eq=False)
class VideoTotals:
    """What all frames come to."""

    example: Segmentation  # with the size, the names and the colours of all
    areas: np.ndarray  # (classes,) int64, the pixels of each over all frames
    frames: int
    confidence: float  # the mean over all frames

    @classmethod
    def of(cls, example: Segmentation, frames: Iterable[Mapping[str, Any]]) -> VideoTotals:
        """From what there is to say of every frame."""
        areas, count, confidence = np.zeros(len(example.names), np.int64), 0, 0.0
        for one in frames:
            areas += np.array(one["pixels"], np.int64)
            count += 1
            confidence += one["mean_confidence"]
        return cls(example, areas, count, confidence / count)


def write_record(
    path: Path,
    totals: VideoTotals,
    provenance: Mapping[str, Any],
    frames: Callable[[], Iterator[Mapping[str, Any]]],
) -> dict[str, Any]:
    """Write the file, a line for every frame, and return all of it but the frames.

    Pixels and shares of the classes are means over the frames.
    """
    example = totals.example
    width, height = example.size
    shares = totals.areas / max(1, totals.areas.sum())
    about = {
        "picture": provenance["video"]["path"],
        **provenance,
        "size": {"width": width, "height": height},
        "names": list(example.names),
        "classes": [
            class_entry(example, index, round(float(area) / totals.frames), float(share))
            for index, (area, share) in enumerate(zip(totals.areas, shares, strict=True))
        ],
        "mean_confidence": totals.confidence,
        "background": example.background,
        "threshold": example.threshold,
        "regions": example.regions.describe(),
        "frame_count": totals.frames,
        "version": version("feedseg"),
    }
    head = json.dumps(about, ensure_ascii=False, indent=2)
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(head.removesuffix("\n}") + ',\n  "frames": [')
        for number, one in enumerate(frames()):
            file.write(f"{',' if number else ''}\n    {json.dumps(one)}")
        file.write("\n  ]\n}\n")
    return about
