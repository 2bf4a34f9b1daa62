"""An auto-annotation function for CVAT: masks or polygons from words.

    cvat-cli --server-host … task auto-annotate TASK --function-module feedseg.integrations.cvat -p words=str:"dog, cat"

Its labels are the words' classes, and CVAT takes those that the task has by the same names (or all, with
`--allow-unmatched-labels`). The same function serves an agent: `cvat-cli function create-native`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.integrations import needed
from feedseg.integrations.objects import FoundObject, found_objects
from feedseg.io.outlines import outlines
from feedseg.io.regions import connected_regions
from feedseg.vocabulary import AUTO, Vocabulary

if TYPE_CHECKING:
    from cvat_sdk.auto_annotation import (  # pyright: ignore[reportMissingImports]
        DetectionFunctionContext,
        DetectionFunctionSpec,
    )
    from PIL import Image

    from feedseg.segmenter import Segmenter

_TOLERANCE = 1.0  # pixels that a polygon may leave the edge of its region


def create(
    words: str,
    background: str = AUTO,
    threshold: float = 0.0,
    model: str = "photo",
    connected: bool = True,
    min_pixels: int = 64,
    **options: Any,
) -> CvatFunction:
    """The function with a model and words, as `cvat-cli` makes it from its `-p` parameters.

    Args:
        words: classes on one line, "cat; kitten, sofa".
        background: words for what is none of them, "wall, floor", which is not annotated; "auto" for the stock list, ""
            for none: then every pixel is one of the words.
        threshold: pixels that are less sure become background.
        model: a name that `feedseg models` lists, owner/name on the hub, or a folder.
        connected: an object for each connected region, instead of one for each class.
        min_pixels: objects with fewer are left out.
        options: what `Segmenter.load` takes besides.

    Raises:
        FeedsegError: words, a model or options that cannot be used; CVAT's SDK is not installed.
    """
    needed("cvat_sdk.auto_annotation", "cvat")
    from feedseg.segmenter import Segmenter

    vocabulary = Vocabulary.parse_line(words, background or None, threshold)
    segmenter = Segmenter.load(model, **options)
    segmenter.embed(vocabulary)  # a word that the model does not know is said before the first image
    return CvatFunction(segmenter, vocabulary, connected, min_pixels)


@dataclass(frozen=True)
class CvatFunction:
    """What CVAT's SDK calls a detection function; see `cvat_sdk.auto_annotation.DetectionFunction`."""

    segmenter: Segmenter
    vocabulary: Vocabulary
    connected: bool = True
    min_pixels: int = 64

    @cached_property
    def spec(self) -> DetectionFunctionSpec:
        """The classes, without the background; a class's id is its label."""
        cvataa: Any = needed("cvat_sdk.auto_annotation", "cvat")
        first = int(self.vocabulary.has_background)
        names = list(self.vocabulary.names)[first:]
        if not names:
            raise FeedsegError("nothing to annotate: give words beside the background")
        return cvataa.DetectionFunctionSpec(
            labels=[cvataa.label_spec(name, label, type="mask") for label, name in enumerate(names, first)]
        )

    def detect(self, context: DetectionFunctionContext, image: Image.Image) -> Sequence[Any]:
        """Masks of what an image shows, or polygons where CVAT asks for these.

        A polygon follows the outer edge of its region within a pixel; holes are what only masks can have.
        """
        cvataa: Any = needed("cvat_sdk.auto_annotation", "cvat")
        encode_mask = needed("cvat_sdk.masks", "cvat").encode_mask
        result = self.segmenter(image.convert("RGB"), self.vocabulary)
        found = [
            one
            for one in found_objects(result, self.connected)
            if one.confidence >= (context.conf_threshold or 0) and np.count_nonzero(one.mask) >= self.min_pixels
        ]
        if context.conv_mask_to_poly:
            return [cvataa.polygon(one.label, points) for one in found for points in polygons(one)]
        return [cvataa.mask(one.label, encode_mask(one.whole(result.size), one.box)) for one in found]


def polygons(one: FoundObject) -> Iterator[list[float]]:
    """The outer edges of an object's regions: x, y, x, y and so on, in pixels of the image."""
    left, top, _, _ = one.box
    for _, outline in outlines(np.where(one.mask, connected_regions(one.mask), -1)):
        ring = simplified(outline.exterior.astype(float), _TOLERANCE)
        yield (ring + np.array([left, top])).ravel().tolist()


def simplified(ring: np.ndarray, tolerance: float) -> np.ndarray:
    """A closed ring without corners that lie near a line between others; (n, 2), at least three.

    D. H. Douglas and T. K. Peucker, "Algorithms for the reduction of the number of points required to represent a
    digitized line or its caricature", 1973, from the two corners that are far apart.
    """
    far = int(np.linalg.norm(ring - ring[0], axis=1).argmax())
    closed = np.concatenate([ring, ring[:1]])
    keep = np.zeros(len(closed), bool)
    keep[[0, far, len(ring)]] = True
    spans = [(0, far), (far, len(ring))]
    while spans:
        first, last = spans.pop()
        between = closed[first + 1 : last]
        if not len(between):
            continue
        (x, y), (dx, dy) = closed[first], closed[last] - closed[first]
        away = np.abs(dx * (between[:, 1] - y) - dy * (between[:, 0] - x)) / max(float(np.hypot(dx, dy)), 1e-9)
        worst = int(away.argmax())
        if away[worst] > tolerance:
            keep[first + 1 + worst] = True
            spans += [(first, first + 1 + worst), (first + 1 + worst, last)]
    kept = ring[keep[:-1]]
    return kept if len(kept) >= 3 else ring
