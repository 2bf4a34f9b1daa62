"""One image by several hosts or models and feedbacks: results, times, and how far they differ. There is no truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from feedseg.io.images import RgbImage
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Compared:
    """One result of a comparison."""

    row: str  # the host or model
    feedback: str
    result: Segmentation = field(repr=False)
    encode_seconds: float  # tower, proxy and host; the same for all feedbacks of a row
    seconds: float  # what comes behind: feedback, scores, labels
    differs: float  # fraction of the pixels whose class is another than the first result's, 0 to 1


def compare(
    image: RgbImage,
    words: Vocabulary,
    rows: Sequence[tuple[str, Callable[[], Segmenter]]],
    feedbacks: Sequence[Any],
) -> list[list[Compared]]:
    """A list of results, one a feedback, for every row: a name, and what loads its segmenter.

    The text is embedded before a clock runs. Times are of one run each, and include what the first run has to set up.
    """
    found: list[list[Compared]] = []
    for name, load in rows:
        segmenter = load()
        segmenter.embed(words)
        started = time.perf_counter()
        encoded = segmenter.encode(image)
        encoding = time.perf_counter() - started
        found.append([])
        for feedback in feedbacks:
            started = time.perf_counter()
            result = encoded.segment(words, feedback=feedback)
            seconds = time.perf_counter() - started
            first = found[0][0].result if found[0] else result
            differs = differing(first, result)
            found[-1].append(Compared(name, feedback, result, encoding, seconds, differs))
    return found


def differing(first: Segmentation, other: Segmentation) -> float:
    """The fraction of the pixels whose class has another name; automatic backgrounds may differ between models."""
    same = np.array([[name == wanted for wanted in first.names] for name in other.names])
    return float(1 - same[other.labels, first.labels].mean())
