"""Words that are sure of no pixel vanish from an image, as RADSeg (2025) prunes its vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from feedseg.decode.refiners.base import Refiner
from feedseg.decode.scores import RefinedScores, Scores
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage


@dataclass(frozen=True)
class PruneWords(Refiner):
    """A class whose largest probability in the image is below `bound` is left out, as if it had not been asked for.

    Class 0, which may be the background, always stays, and so does the class with the largest probability of all. The
    probabilities of those that stay are scaled to sum to what they did.
    """

    bound: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.bound <= 1:
            raise FeedsegError(f"the bound of a word's largest probability is from 0 to 1, not {self.bound}")

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        largest = torch.stack([scores.rows(strip).amax(dim=(1, 2)) for strip in scores.strips()]).amax(dim=0)
        stays = largest >= self.bound
        stays[0] = stays[largest.argmax()] = True
        return _Pruned(scores, stays)


class _Pruned(RefinedScores):
    """Scores of the classes that stay."""

    def __init__(self, scores: Scores, stays: Tensor) -> None:
        super().__init__(scores)
        self._stays = stays

    def rows(self, rows: slice) -> Tensor:
        found = self._scores.rows(rows)
        before = found.sum(dim=0)
        found[~self._stays] = 0
        after = found.sum(dim=0)
        return found.mul_(torch.where(after > 0, before / after, torch.ones_like(after)))


REFINER = PruneWords()
