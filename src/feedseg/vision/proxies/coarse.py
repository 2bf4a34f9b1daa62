"""A proxy on a coarser grid than its own: windows are made smaller for it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.vision.proxies.base import Proxy, TowerProxy
from feedseg.vision.towers.base import TowerOutput

DENSITY = 1.625  # features along the side of a patch of the tower; docs/speed.md has what others cost and save


class CoarseProxy(Proxy):
    """A proxy whose patches are much smaller than the tower's, on windows of `DENSITY` of its patches for each of them.

    DINO ViT-B/8 beside a tower of 16 pixels then has two thirds of its patches, and the matrices of attention, host and
    feedback are less than half.
    """

    def __init__(self, proxy: Proxy, patch: int) -> None:
        """`proxy` takes sides in whole patches of its own; `patch` is the side of the tower's."""
        self._proxy, self._patch = proxy, patch
        self.name = f"{proxy.name} (coarse)"
        self.family = proxy.family

    @property
    def revision(self) -> str:
        return self._proxy.revision

    @property
    def pitch(self) -> float:
        return self._patch / DENSITY

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self._proxy.to(device, dtype)

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        size = [round(DENSITY * side) * self._proxy.patch_size for side in output.grid]
        smaller = interpolate(pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
        return self._proxy(smaller.clamp(0, 1), output)


def coarsened(proxy: Proxy, patch: int) -> Proxy:
    """A proxy as coarse as a tower with patches of that side lets it; as it is where it is no finer, or not known."""
    is_finer = proxy.patch_size > 1 and DENSITY * proxy.patch_size < patch and not isinstance(proxy, TowerProxy)
    return CoarseProxy(proxy, patch) if is_finer else proxy
