"""Masks that overlap, of which few are worth keeping, to regions that do not: pure functions.

The rules are those of SAM's automatic mask generation (Kirillov et al., ICCV 2023): masks that hardly change with the
threshold, and of those whose boxes overlap the one that the model is surest of.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def stabilities(logits: Tensor, offset: float) -> Tensor:
    """How much of each mask is left when its threshold rises from −offset to offset, (M,), fp32; 0 for an empty one.

    Args:
        logits: (M, height, width); a mask is where they are above 0.
        offset: in logits.
    """
    inside, around = ((logits > bound).sum(dim=(1, 2)) for bound in (offset, -offset))
    return inside / around.clamp(min=1)


def boxes(masks: Tensor) -> Tensor:
    """The first and last column and row of each mask, (M, 4): left, top, right, bottom, fp32; zeros for an empty one.

    Args:
        masks: (M, height, width), bool.
    """
    found = []
    for axis in (1, 2):  # over rows: which columns it has
        has = masks.any(dim=axis)
        count = has.shape[1]
        first = has.float().argmax(dim=1)
        last = count - 1 - has.flip(1).float().argmax(dim=1)
        some = has.any(dim=1)
        found.append((torch.where(some, first, 0), torch.where(some, last, 0)))
    (left, right), (top, bottom) = found
    return torch.stack((left, top, right, bottom), dim=1).float()


def best_apart(of_boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """Indices of the boxes that stay, best first: none overlaps a better one by an IoU above `most`.

    Non-maximum suppression, as torchvision has it; of equal scores the first is the better.

    Args:
        of_boxes: (M, 4): left, top, right, bottom.
        scores: (M,).
        most: an IoU.
    """
    left, top, right, bottom = of_boxes.unbind(dim=1)
    areas = (right - left) * (bottom - top)
    order = scores.argsort(descending=True, stable=True)
    stays = []
    while len(order):
        best, rest = order[0], order[1:]
        stays.append(best)
        width = (torch.minimum(right[best], right[rest]) - torch.maximum(left[best], left[rest])).clamp(min=0)
        height = (torch.minimum(bottom[best], bottom[rest]) - torch.maximum(top[best], top[rest])).clamp(min=0)
        shared = width * height
        # not above: where both areas are 0 the ratio is no number, and the box stays
        order = rest[~(shared / (areas[best] + areas[rest] - shared) > most)]
    return torch.stack(stays) if stays else order


def painted(masks: Iterable[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """The number of the smallest mask that a pixel is in, (height, width), int32; −1 where there is none.

    Args:
        masks: (height, width) each, bool, from the largest to the smallest.
        size: height and width.
    """
    regions = np.full(size, -1, np.int32)
    for number, mask in enumerate(masks):
        regions[mask] = number
    return regions
