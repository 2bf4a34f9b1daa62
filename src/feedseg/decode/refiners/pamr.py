"""Scores follow the image's edges: pixel-adaptive mask refinement (Araslanov and Roth, CVPR 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad

from feedseg.decode.reduced import EnlargedScores, reduced
from feedseg.decode.refiners.base import Refiner
from feedseg.decode.scores import RefinedScores, Scores
from feedseg.errors import FeedsegError, checked_count
from feedseg.io.images import RgbImage

_OFFSETS = tuple(offset for offset in product((-1, 0, 1), repeat=2) if offset != (0, 0))
_TINY = 1e-8  # where all neighbours have one colour
_ROWS = 256  # of a strip at least, since a strip needs rows beside it


@dataclass(frozen=True)
class PAMR(Refiner):
    """Every pixel's scores become a mean of its neighbours', `steps` times; those of its own colour weigh most.

    The neighbours are the eight in the directions of a square's sides and corners, at each of the `dilations` (pixels).
    A neighbour's weight is the softmax over all of them of −|difference|/(`width` · σ), the mean over the three
    channels, with σ the channel's standard deviation over the pixel and its neighbours. At the image's edges pixels
    are repeated.

    With `reduce` above 1 all of this happens on an image so many times smaller on either side, and the scores become as
    large again afterwards: it takes the square of that less time, and with dilations as many times smaller it looks
    as far.
    """

    dilations: tuple[int, ...] = (8, 16)
    steps: int = 10
    width: float = 0.1
    reduce: int = 1

    def __post_init__(self) -> None:
        checked_count(self.reduce, "how many times PAMR reduces an image", most=64)
        if not self.dilations or min(self.dilations) < 1 or self.steps < 0 or not self.width > 0:
            raise FeedsegError(f"PAMR takes dilations of at least 1, no negative steps, a positive width: {self}")

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        return _Smoothed(scores, image, self) if self.reduce == 1 else _on_smaller(scores, image, self)


class _Smoothed(RefinedScores):
    """Scores after the steps; a strip is computed with as many rows beside it as the steps reach."""

    def __init__(self, scores: Scores, image: RgbImage, how: PAMR) -> None:
        super().__init__(scores)
        self._image, self._how = image, how

    @property
    def strip_rows(self) -> int:
        return max(_ROWS, self._scores.strip_rows)

    def rows(self, rows: slice) -> Tensor:
        height, farthest = self.shape[1], max(self._how.dilations)
        first, last, _ = rows.indices(height)
        # The image needs one reach more than the scores: weights are computed for all of their rows.
        reach = farthest * self._how.steps
        top, bottom = max(0, first - reach), min(height, last + reach)
        seen = slice(max(0, top - farthest), min(height, bottom + farthest))
        pixels = torch.tensor(self._image.pixels[seen], device=self.device).permute(2, 0, 1).float()
        weights = neighbour_weights(pixels, self._how)[:, top - seen.start : bottom - seen.start]
        found = self._scores.rows(slice(top, bottom))
        for _ in range(self._how.steps):
            found = weighted_neighbours(found, weights, self._how.dilations)
        return found[:, first - top : last - top]


def _on_smaller(scores: Scores, image: RgbImage, how: PAMR) -> Scores:
    """Scores smoothed on a smaller image."""
    size = (-(-scores.shape[1] // how.reduce), -(-scores.shape[2] // how.reduce))
    pixels, found = reduced(scores, image, size)
    weights = neighbour_weights(pixels, how)
    for _ in range(how.steps):
        found = weighted_neighbours(found, weights, how.dilations)
    return EnlargedScores(scores, found)


def neighbour_weights(pixels: Tensor, how: PAMR) -> Tensor:
    """The weight of every neighbour, (8 · dilations, height, width), that sum to 1 at each pixel.

    Args:
        pixels: (3, height, width), any scale.
        how: the constants.
    """
    around = torch.stack([shifted for step in how.dilations for shifted in _shifts(pixels, step)])
    centre = pixels.expand(len(how.dilations), *pixels.shape)  # once for each dilation, as published
    deviation = torch.cat([around, centre]).std(dim=0)
    distance = (around - pixels).abs_().div_(_TINY + how.width * deviation)
    return distance.mean(dim=1).neg_().softmax(dim=0)


def weighted_neighbours(scores: Tensor, weights: Tensor, dilations: tuple[int, ...]) -> Tensor:
    """One step: the mean of every pixel's neighbours with these weights, (K, height, width)."""
    total = torch.zeros_like(scores)
    shifts = (shifted for step in dilations for shifted in _shifts(scores, step))
    for weight, shifted in zip(weights, shifts, strict=True):
        total.addcmul_(shifted, weight)
    return total


def _shifts(values: Tensor, step: int) -> list[Tensor]:
    """The values (…, height, width) of the eight neighbours at a distance, as views."""
    height, width = values.shape[-2:]
    padded = pad(values[None], (step, step, step, step), mode="replicate")[0]
    return [
        padded[..., step + step * down : step + step * down + height, step + step * right : step + step * right + width]
        for down, right in _OFFSETS
    ]


REFINER = PAMR()
