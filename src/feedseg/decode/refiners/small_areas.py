"""Classes that hardly occur vanish, as the published code of SCLIP (Wang et al., ECCV 2024) has it on VOC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from feedseg.decode.labels import label_image
from feedseg.decode.refiners.base import Refiner
from feedseg.decode.scores import RefinedScores, Scores
from feedseg.io.images import RgbImage


@dataclass(frozen=True)
class SmallAreas(Refiner):
    """Class 0 is the background; of the pixels where another class is the most probable, a class needs a larger part.

    One that has no more than `fraction` of them gets probability 0 everywhere, before any threshold.
    """

    fraction: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"the smallest area is a fraction from 0 to 1, not {self.fraction}")

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        labels, confidence = label_image(scores)
        areas = np.bincount(labels.ravel(), minlength=scores.shape[0])
        areas[0] = 0
        hidden = areas <= self.fraction * areas.sum()
        hidden[0] = False
        return WithoutClasses(scores, hidden, labels, confidence)


class WithoutClasses(RefinedScores):
    """Scores in which some classes have probability 0."""

    def __init__(self, scores: Scores, hidden: np.ndarray, labels: np.ndarray, confidence: np.ndarray) -> None:
        """`hidden` (K,) says which; `labels` and `confidence` are those of the scores as they were."""
        super().__init__(scores)
        self._hidden = hidden
        self._labels, self._confidence = labels, confidence

    def rows(self, rows: slice) -> Tensor:
        found = self._scores.rows(rows)
        found[torch.from_numpy(self._hidden).to(found.device)] = 0
        return found

    def best(self, rows: slice) -> tuple[Tensor, Tensor]:
        labels = self._labels[rows]
        if self._hidden[labels].any():
            return super().best(rows)
        # what was the best here still is
        return torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(self._confidence[rows].copy())


REFINER = SmallAreas()
