"""Scores: the probability of every class at every pixel of an image, whose rows exist when they are asked for.

Shapes: K classes, C queries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from feedseg.decode.logits import StitchedLogits
from feedseg.decode.tiled import NOT_FINITE, TiledBest
from feedseg.errors import FeedsegError
from feedseg.settings import Softmax

# Elements of a strip at the image's size, so that no image holds all classes. Few enough for a cache.
STRIP_ELEMENTS = 1 << 21
# From how many pixels per working pixel, and from how many words on, tiles are faster than strips on a CPU.
TILED_PIXELS, TILED_WORDS = 64, 12


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

    def best_of_all(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """What `best` says of all rows, from the top down, some rows at a time."""
        for strip in self.strips():
            yield strip, *self.best(strip)


class RefinedScores(Scores):
    """Scores made from others, of the same shape and in the same strips."""

    def __init__(self, scores: Scores) -> None:
        self._scores = scores
        self.shape, self.device = scores.shape, scores.device

    @property
    def strip_rows(self) -> int:
        return self._scores.strip_rows


class ClassScores(Scores):
    """Softmax of the scaled logits over the classes, or over the words; a class has what its best word has."""

    def __init__(
        self,
        logits: StitchedLogits,
        query_to_class: tuple[int, ...],
        classes: int,
        scale: float,
        softmax: Softmax = "classes",
    ) -> None:
        """From cosines (C, height, width).

        Args:
            query_to_class: the class of every query, ascending; a class without queries has probability 0.
            classes: K.
            scale: cosines are multiplied by it.
            softmax: whether it runs over the classes, each with the logit of its best query, or over the queries, each
                of which then lowers the probabilities of all others, those of its own class too.
        """
        self._logits = logits
        self._scale = scale
        self._labels = query_to_class
        self._class_of = torch.tensor(query_to_class, device=logits.device)
        together = softmax == "classes"
        self._groups = _equal_runs(query_to_class) if together else [[query] for query in range(len(query_to_class))]
        self.shape = (classes, *logits.shape[1:])
        self.device = logits.device

    @property
    def strip_rows(self) -> int:
        return max(1, STRIP_ELEMENTS // (len(self._labels) * self.shape[2]))

    def _weights(self, rows: slice) -> tuple[Tensor, Tensor]:
        """exp(scaled logit − best), (C, rows, width), 0 where a better query counts instead; and the best's index."""
        scaled = self._logits.rows(rows).mul_(self._scale)
        best, index = scaled.max(dim=0)
        if not best.isfinite().all():
            raise FeedsegError(NOT_FINITE)
        for first, *others in self._groups:
            for other in others:
                torch.maximum(scaled[first], scaled[other], out=scaled[first])
                scaled[other] = -torch.inf
        return scaled.sub_(best).exp_(), index

    def rows(self, rows: slice) -> Tensor:
        weights, index = self._weights(rows)
        total = weights.sum(dim=0)
        of_classes = weights.new_zeros(self.shape[0], *index.shape)
        for query, label in enumerate(self._labels):
            torch.maximum(of_classes[label], weights[query], out=of_classes[label])
        return of_classes.div_(total)

    def best(self, rows: slice) -> tuple[Tensor, Tensor]:
        weights, index = self._weights(rows)  # the best query of all is that of the best class
        return self._class_of[index], weights.sum(dim=0).reciprocal_()

    def best_of_all(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """The same labels as `best` has, and within 2e-6 the same probabilities: by tiles where that is faster."""
        pixels = prod(self.shape[1:]) / prod(self._logits.working)
        if self.device.type == "cpu" and pixels >= TILED_PIXELS and len(self._labels) >= TILED_WORDS:
            yield from TiledBest(self._logits, self._labels, self._groups, self._scale).bands()
        else:
            yield from super().best_of_all()


def _equal_runs(labels: tuple[int, ...]) -> list[list[int]]:
    """The indices of equal labels."""
    runs: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        runs.setdefault(label, []).append(index)
    return list(runs.values())
