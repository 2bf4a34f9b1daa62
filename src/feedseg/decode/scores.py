"""Scores: the probability of every class at every pixel of an image, whose rows exist when they are asked for.

Shapes: K classes, C queries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from feedseg.decode.logits import StitchedLogits
from feedseg.errors import FeedsegError

# Elements of a strip at the image's size, so that no image holds all classes. Few enough for a cache.
STRIP_ELEMENTS = 1 << 21


class Scores(ABC):
    """Probabilities (K, height, width), from the top down in strips of rows."""

    shape: tuple[int, int, int]
    device: torch.device

    @property
    def strip_rows(self) -> int:
        """How many rows are best asked for at once."""
        return max(1, STRIP_ELEMENTS // (self.shape[0] * self.shape[2]))

    def strips(self) -> list[slice]:
        """The rows of the image in strips, from the top down."""
        height, step = self.shape[1], self.strip_rows
        return [slice(start, min(start + step, height)) for start in range(0, height, step)]

    @abstractmethod
    def rows(self, rows: slice) -> Tensor:
        """Some rows, (K, rows, width), fp32; the caller may change them."""

    def best(self, rows: slice) -> tuple[Tensor, Tensor]:
        """The most probable class, int64, and its probability, fp32, both (rows, width).

        Of classes that are equally probable the first one counts.
        """
        probability, label = self.rows(rows).max(dim=0)
        return label, probability


class ClassScores(Scores):
    """Softmax of the scaled logits over the queries; a class has the probability of its best query."""

    def __init__(self, logits: StitchedLogits, query_to_class: tuple[int, ...], classes: int, scale: float) -> None:
        """From cosines (C, height, width).

        Args:
            query_to_class: the class of every query; a class without queries has probability 0.
            classes: K.
            scale: cosines are multiplied by it.
        """
        self._logits = logits
        self._scale = scale
        self._class_of = torch.tensor(query_to_class, device=logits.device)
        self.shape = (classes, *logits.shape[1:])
        self.device = logits.device

    @property
    def strip_rows(self) -> int:
        return max(1, STRIP_ELEMENTS // (len(self._class_of) * self.shape[2]))

    def _scaled(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """The scaled logits, (C, rows, width), and of the best query the logit and the index."""
        scaled = self._logits.rows(rows).mul_(self._scale)
        best, index = scaled.max(dim=0)
        if not best.isfinite().all():
            raise FeedsegError(
                "the model or the proxy gave numbers that are not finite; try --dtype fp32 (dtype='fp32')"
            )
        return scaled, best, index

    def rows(self, rows: slice) -> Tensor:
        scaled, best, _ = self._scaled(rows)
        weights = scaled.sub_(best).exp_()
        total = weights.sum(dim=0)
        of_classes = weights.new_zeros(self.shape[0], *best.shape)
        for query, label in enumerate(self._class_of.tolist()):
            torch.maximum(of_classes[label], weights[query], out=of_classes[label])
        return of_classes.div_(total)

    def best(self, rows: slice) -> tuple[Tensor, Tensor]:
        scaled, best, index = self._scaled(rows)  # the best query of all is that of the best class
        return self._class_of[index], scaled.sub_(best).exp_().sum(dim=0).reciprocal_()
