"""Labels spread over pixels of one colour side by side: the second step of LPOSS (Stojnić et al., CVPR 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import torch
from torch import Tensor

from feedseg.decode.reduced import EnlargedScores, reduced
from feedseg.decode.refiners.base import Refiner
from feedseg.decode.refiners.propagate import conjugate_gradients
from feedseg.decode.scores import Scores
from feedseg.errors import FeedsegError, checked_count, checked_number
from feedseg.io.images import RgbImage
from feedseg.settings import Sides

CLASSES_TOGETHER = 16
LAB_RANGE = 100  # L* from black to white: what colours are divided by
# sRGB to XYZ, each row divided by the white point's coordinate (D65), so that white is (1, 1, 1); IEC 61966-2-1
_TO_XYZ = (
    (0.412453 / 0.95047, 0.357580 / 0.95047, 0.180423 / 0.95047),
    (0.212671, 0.715160, 0.072169),
    (0.019334 / 1.08883, 0.119193 / 1.08883, 0.950227 / 1.08883),
)


@dataclass(frozen=True)
class PropagatePixels(Refiner):
    """y of (I − alpha·S) y = (1 − alpha)·x, x the probabilities of pixels and S how alike neighbouring pixels are.

    w_pq = exp(−‖c_p − c_q‖ / width) for pixels whose rows and columns differ by no more than `reach`, c their colours
    in CIELAB, divided by 100; divided by the roots of the sums of both pixels' weights it is S. The system is solved by
    `steps` steps of conjugate gradients. Meant to follow `Propagate`, which is the first step.

    An image of more than `most_pixels` is worked on that much smaller, so that time and memory stay the same.
    """

    alpha: float = 0.95
    reach: int = 6
    width: float = 0.01
    steps: int = 10
    most_pixels: int = 1 << 16

    def __post_init__(self) -> None:
        if not 0 <= checked_number(self.alpha, "alpha") < 1:
            raise FeedsegError(f"alpha is from 0 to below 1, not {self.alpha}")
        if checked_number(self.width, "the width") <= 0:
            raise FeedsegError(f"the width of colours is a positive number, not {self.width}")
        checked_count(self.reach, "the reach", most=32)
        checked_count(self.steps, "the number of steps", most=1 << 20)
        checked_count(self.most_pixels, "the number of pixels", most=1 << 24)

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        pixels, own = reduced(scores, image, smaller((scores.shape[1], scores.shape[2]), self.most_pixels))
        graph = PixelGraph(lab(pixels / 255) / LAB_RANGE, self.reach, self.width)
        found = []
        for some in own.split(CLASSES_TOGETHER):
            target = some.flatten(1).T.contiguous() * (1 - self.alpha)
            found.append(conjugate_gradients(graph, target, self.alpha, self.steps).T.unflatten(1, graph.size))
        spread = torch.cat(found).clamp_(min=0)  # too few steps may leave a little below 0
        return EnlargedScores(scores, spread / spread.sum(dim=0).clamp(min=torch.finfo(spread.dtype).tiny))


class PixelGraph:
    """S of an image's pixels, to be multiplied with vectors; every pair is held once."""

    def __init__(self, colours: Tensor, reach: int, width: float) -> None:
        """From colours (channels, h, w); see `PropagatePixels`."""
        self.size: Sides = (colours.shape[1], colours.shape[2])
        self._pairs = [(first, second) for first, second in _pairs(self.size, reach)]
        self._weights = [
            (colours[(..., *first)] - colours[(..., *second)]).square_().sum(dim=0).sqrt_().div_(-width).exp_()
            for first, second in self._pairs
        ]
        sums = torch.zeros(self.size, device=colours.device)
        for (first, second), weight in zip(self._pairs, self._weights, strict=True):
            sums[first] += weight
            sums[second] += weight
        root = sums.clamp_(min=torch.finfo(sums.dtype).tiny).rsqrt_()
        for (first, second), weight in zip(self._pairs, self._weights, strict=True):
            weight.mul_(root[first] * root[second])

    def __matmul__(self, vectors: Tensor, /) -> Tensor:
        """S times vectors: (h·w, C) to (h·w, C)."""
        on_grid = vectors.unflatten(0, self.size)
        total = torch.zeros_like(on_grid)
        for (first, second), weight in zip(self._pairs, self._weights, strict=True):
            total[first].addcmul_(on_grid[second], weight[..., None])
            total[second].addcmul_(on_grid[first], weight[..., None])
        return total.flatten(0, 1)


def smaller(size: Sides, most: int) -> Sides:
    """Height and width of about the same shape with no more than `most` pixels, or a row or column of them."""
    scale = sqrt(max(1.0, size[0] * size[1] / most))
    height = max(1, min(size[0], int(size[0] / scale)))
    return height, max(1, min(size[1], most // height, ceil(size[1] / scale)))


def lab(rgb: Tensor) -> Tensor:
    """CIELAB of sRGB in [0, 1], (3, height, width), white point D65: L* from 0 to 100, a*, b*."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("ij,jhw->ihw", rgb.new_tensor(_TO_XYZ), linear)
    x, y, z = torch.where(xyz > (6 / 29) ** 3, xyz.clamp(min=0) ** (1 / 3), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


def _pairs(size: Sides, reach: int) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """For each offset within reach, one of every two opposite ones: where its first pixels are, and its second."""
    found = []
    for down in range(min(reach, size[0] - 1) + 1):
        for right in range(-reach if down else 1, reach + 1):
            if abs(right) >= size[1]:
                continue
            here, there = slice(max(0, -right), size[1] - max(0, right)), slice(max(0, right), size[1] + min(0, right))
            found.append(((slice(0, size[0] - down), here), (slice(down, size[0]), there)))
    return found


REFINER = PropagatePixels()
