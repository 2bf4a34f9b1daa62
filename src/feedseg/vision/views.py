"""A second view of a window: mirrored and smaller. What errs in one view often does not in the other.

The mean over mirrored and rescaled images is an old practice of segmentation (multi-scale testing); here it is one.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate


def second_view(window: Tensor, share: float, multiple: int) -> Tensor:
    """An RGB window in [0, 1], (3, height, width), mirrored, its sides `share` as long, in whole multiples."""
    size = [max(round(share * side / multiple), 1) * multiple for side in window.shape[-2:]]
    smaller = interpolate(window[None].float(), size=size, mode="bicubic", align_corners=False, antialias=True)
    return smaller[0].clamp(0, 1).flip(-1).to(window.dtype)


def averaged(own: Tensor, second: Tensor) -> Tensor:
    """The mean of the logits of a window (C, h, w) and of its second view (C, h', w'), on the first's grid."""
    mirrored_back = second.flip(-1)[None]
    return (own + interpolate(mirrored_back, size=own.shape[-2:], mode="bilinear", align_corners=False)[0]) / 2
