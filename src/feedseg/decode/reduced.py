"""Scores that are worked on at a size smaller than the image's, and what comes of it at the image's size again."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from feedseg.decode.logits import StitchedLogits
from feedseg.decode.scores import RefinedScores, Scores
from feedseg.io.images import RgbImage
from feedseg.settings import Sides


def reduced(scores: Scores, image: RgbImage, size: Sides) -> tuple[Tensor, Tensor]:
    """An image and its scores on a smaller size (h, w): colours (3, h, w), 0 to 255, and scores (K, h, w), fp32.

    Colours are means, scores those of the pixels nearest to the middle of each part.
    """
    _, height, width = scores.shape
    rows, columns = (_middles(side, small) for side, small in zip((height, width), size, strict=True))
    found = torch.stack([scores.rows(slice(row, row + 1))[:, 0, columns] for row in rows], dim=1)
    pixels = torch.tensor(image.pixels, device=scores.device).permute(2, 0, 1).float()
    return adaptive_avg_pool2d(pixels, size), found


class EnlargedScores(RefinedScores):
    """Scores of a smaller size, bilinearly at the size of those that they were made from."""

    def __init__(self, scores: Scores, found: Tensor) -> None:
        """`found` (K, h, w) takes the place of `scores` (K, height, width)."""
        super().__init__(scores)
        size = (self.shape[1], self.shape[2])
        # classes that are nowhere as probable as the least probable of all best ones are the best nowhere
        self._possible = (found.amax(dim=(1, 2)) >= found.amax(dim=0).amin()).nonzero()[:, 0]
        self._all = StitchedLogits.of_grid(found, size)
        self._best = StitchedLogits.of_grid(found[self._possible], size)

    def rows(self, rows: slice) -> Tensor:
        return self._all.rows(rows).clone()

    def best(self, rows: slice) -> tuple[Tensor, Tensor]:
        probability, index = self._best.rows(rows).max(dim=0)
        return self._possible[index], probability


def _middles(side: int, small: int) -> list[int]:
    """The pixels nearest to the middle of each of `small` equal parts of a side."""
    return [(2 * part + 1) * side // (2 * small) for part in range(small)]
