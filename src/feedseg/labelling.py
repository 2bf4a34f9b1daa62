"""From logits to labels: resize to the picture, softmax over the queries, synonyms to classes, threshold."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.errors import FeedsegError

# Elements of one strip of full-size probabilities, so that no picture holds all classes at full size.
STRIP_ELEMENTS = 1 << 24


def label_pixels(
    logits: Tensor,
    size: tuple[int, int],
    query_to_class: tuple[int, ...],
    classes: int,
    logit_scale: float,
    threshold: float = 0.0,
    smallest_area: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Name every pixel of a picture, a strip of rows at a time.

    Args:
        logits: cosines of the queries, (C, h, w).
        size: height and width of the picture.
        query_to_class: the class of every query; a class has the probability of its best query.
        classes: how many classes there are; one without queries has probability 0.
        logit_scale: cosines are multiplied by it before the softmax over the queries.
        threshold: a pixel whose best class is less probable becomes class 0.
        smallest_area: class 0 is the background, and of the pixels where another class is the most probable one, this
            share is too small for a class: one that has no more gets probability 0 everywhere, before the threshold
            (as the published code of Wang et al., "SCLIP", ECCV 2024, does on VOC).

    Returns:
        labels (height, width), uint8 or uint16, and the best class's probability (height, width), float32.

    Raises:
        FeedsegError: a logit is no number.
    """
    height, width = size
    labels = np.empty(size, np.uint8 if classes <= 256 else np.uint16)
    confidence = np.empty(size, np.float32)
    rows = max(1, STRIP_ELEMENTS // (len(query_to_class) * width))
    strips = [slice(start, min(start + rows, height)) for start in range(0, height, rows)]

    def probabilities(strip: slice) -> Tensor:
        scores = resized_rows(logits, size, strip).mul_(logit_scale).softmax(dim=0)
        return _by_class(scores, query_to_class, classes)

    large = None
    if smallest_area is not None:
        first = [probabilities(strip).argmax(dim=0).flatten().bincount(minlength=classes) for strip in strips]
        areas = torch.stack(first).sum(dim=0)
        areas[0] = 0
        large = areas > smallest_area * areas.sum()
        large[0] = True
    for strip in strips:
        scores = probabilities(strip)
        if large is not None:
            scores = scores * large[:, None, None]
        best, index = scores.max(dim=0)
        if not best.isfinite().all():
            raise FeedsegError(
                "the model or the proxy gave numbers that are not finite; try --dtype fp32 (dtype='fp32')"
            )
        index[best < threshold] = 0
        labels[strip] = index.cpu().numpy()
        confidence[strip] = best.cpu().numpy()
    return labels, confidence


def _by_class(scores: Tensor, query_to_class: tuple[int, ...], classes: int) -> Tensor:
    """The queries' probabilities, (C, rows, width), to the classes': that of each class's best query."""
    if query_to_class == tuple(range(classes)):
        return scores
    queries = [[query for query, owner in enumerate(query_to_class) if owner == label] for label in range(classes)]
    nothing = scores.new_zeros(scores.shape[1:])
    return torch.stack([scores[of_class].amax(dim=0) if of_class else nothing for of_class in queries])


def resized_rows(picture: Tensor, size: tuple[int, int], rows: slice) -> Tensor:
    """Some rows of a picture (C, h, w) resized bilinearly to `size`: (C, rows, width).

    The same numbers as `torch.nn.functional.interpolate` with `align_corners=False` computes for the whole.
    """
    height, width = size
    source_height = picture.shape[1]
    target = torch.arange(rows.start, rows.stop, device=picture.device, dtype=torch.float32)
    places = ((target + 0.5) * (source_height / height) - 0.5).clamp_(min=0)
    upper = places.floor().long().clamp_(max=source_height - 1)
    lower = (upper + 1).clamp_(max=source_height - 1)
    weight = (places - upper)[None, :, None]
    first, last = int(upper[0]), int(lower[-1]) + 1
    # only the rows that are needed are widened
    wide = interpolate(picture[None, :, first:last], size=(last - first, width), mode="bilinear", align_corners=False)[
        0
    ]
    return torch.lerp(wide[:, upper - first], wide[:, lower - first], weight)
