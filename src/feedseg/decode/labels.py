"""From logits to labels: resize to the picture, softmax over the queries, synonyms to classes, threshold."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from feedseg.errors import FeedsegError
from feedseg.vision.windows import Mosaic, row_pairs, widened

# Elements of a strip of logits at the picture's size and of the working rows behind it, so that no picture holds all
# classes at either size. Few enough for a strip to stay in a cache.
STRIP_ELEMENTS = 1 << 21
BLOCK_ELEMENTS = 1 << 24


@torch.inference_mode()
def label_pixels(
    logits: Tensor | Mosaic,
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
    owner = torch.tensor(query_to_class, device=logits.device)
    resized = Resized(logits, size)
    for strip in strips:
        scores = resized.rows(strip).mul_(logit_scale)
        best, index = scores.max(dim=0)  # the best query of all is that of the best class
        if not best.isfinite().all():
            raise FeedsegError(
                "the model or the proxy gave numbers that are not finite; try --dtype fp32 (dtype='fp32')"
            )
        labels[strip] = owner[index].cpu().numpy()
        confidence[strip] = scores.sub_(best).exp_().sum(dim=0).reciprocal_().cpu().numpy()
    if smallest_area is not None:
        small = _small_classes(labels, classes, smallest_area)
        hidden = torch.from_numpy(small).to(owner.device)[owner]
        resized = Resized(logits, size)
        for strip in strips:
            if not small[labels[strip]].any():  # what was the best here still is
                continue
            scores = resized.rows(strip).mul_(logit_scale)
            before = scores.amax(dim=0)
            scores[hidden] = -torch.inf
            best, index = scores.max(dim=0)
            labels[strip] = owner[index].masked_fill_(best == -torch.inf, 0).cpu().numpy()
            confidence[strip] *= best.sub_(before).exp_().cpu().numpy()
    labels[confidence < np.float32(threshold)] = 0
    return labels, confidence


def _small_classes(labels: np.ndarray, classes: int, smallest_area: float) -> np.ndarray:
    """Which classes, (classes,), have no more than this share of the pixels that are not class 0; never class 0."""
    areas = np.bincount(labels.ravel(), minlength=classes)
    areas[0] = 0
    small = areas <= smallest_area * areas.sum()
    small[0] = False
    return small


class Resized:
    """Logits (C, h, w) resized bilinearly to a picture's size, of which rows are computed when they are asked for.

    What the next rows need again is kept, so asking from the top down does everything once.
    """

    def __init__(self, logits: Tensor | Mosaic, size: tuple[int, int]) -> None:
        self._logits = logits
        self._width = size[1]
        self._pairs = row_pairs(logits.shape[1], size[0])
        self._block_start, self._block = 0, torch.empty(0, 0, 0)
        self._wide: dict[int, Tensor] = {}  # by row of the logits, (C, width) each
        self._strip = torch.empty(0, 0, 0)

    def rows(self, rows: slice) -> Tensor:
        """Rows at the picture's size, (C, rows, width). The next call may write over them."""
        queries, pairs = self._logits.shape[0], self._pairs[rows]
        if self._strip.shape[1] != len(pairs):
            self._strip = torch.empty(queries, len(pairs), self._width, device=self._logits.device)
        for row, pair in enumerate(pairs):
            kept = {pair.upper, pair.lower}
            self._wide = {source: wide for source, wide in self._wide.items() if source in kept}
            for source in kept - self._wide.keys():
                self._wide[source] = widened(self._working_row(source), self._width)[:, 0]
            torch.lerp(self._wide[pair.upper], self._wide[pair.lower], pair.weight, out=self._strip[:, row])
        return self._strip

    def _working_row(self, row: int) -> Tensor:
        """A row of the logits, (C, 1, w)."""
        if isinstance(self._logits, Tensor):
            return self._logits[:, row : row + 1]
        if not 0 <= row - self._block_start < self._block.shape[1]:
            queries, height, width = self._logits.shape
            most = max(1, BLOCK_ELEMENTS // (queries * width))
            self._block_start, self._block = row, self._logits.rows(row, min(row + most, height))
        place = row - self._block_start
        return self._block[:, place : place + 1]


def resized_rows(picture: Tensor, size: tuple[int, int], rows: slice) -> Tensor:
    """Some rows of a picture (C, h, w) resized bilinearly to `size`: (C, rows, width).

    What `torch.nn.functional.interpolate` with `align_corners=False` computes for the whole, up to rounding.
    """
    return Resized(picture, size).rows(rows)
