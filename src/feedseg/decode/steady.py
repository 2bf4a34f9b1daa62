"""Scores steadied from one frame of a video to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from feedseg.decode.refiners.base import Refiner
from feedseg.decode.scores import Scores
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage


@dataclass
class Average:
    """What the frames so far come to."""

    values: Tensor | None = field(default=None, repr=False)  # (K, height, width), fp16


@dataclass(frozen=True)
class Steady(Refiner):
    """An exponential average over the images in their order: alpha of the new one, the rest of what was before.

    Made for one video, and used once: `segmenter.segment_many(frames, words, refiners=[Steady(0.4)])`. Where the size
    or the words change it begins anew. Scores are valid until the next image's.

    Raises:
        FeedsegError: alpha is not above 0 and at most 1.
    """

    alpha: float

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise FeedsegError(f"steadying takes a part of the new frame above 0 and at most 1, not {self.alpha:g}")

    @cached_property
    def average(self) -> Average:
        """Of the images so far; whoever goes on with a video later keeps its values."""
        return Average()

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        """See `Refiner`."""
        before = self.average.values
        first = before is None or tuple(before.shape) != tuple(scores.shape)
        values = torch.empty(scores.shape, dtype=torch.float16, device=scores.device) if first else before
        assert values is not None
        for strip in scores.strips():
            new = scores.rows(strip)
            values[:, strip] = new if first else torch.lerp(values[:, strip].float(), new, self.alpha)
        self.average.values = values
        return AveragedScores(values)


class AveragedScores(Scores):
    """Averages as scores."""

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self.shape = (values.shape[0], values.shape[1], values.shape[2])
        self.device = values.device

    def rows(self, rows: slice) -> Tensor:
        """See `Scores.rows`."""
        return self._values[:, rows].float()
