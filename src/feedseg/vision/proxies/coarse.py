"""A proxy on the tower's own grid: windows are made smaller for it, so that it has one feature for a patch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg.vision.proxies.base import Proxy, TowerProxy
from feedseg.vision.towers.base import TowerOutput


class CoarseProxy(Proxy):
    """A proxy whose patches are smaller than the tower's, on windows of as many of its patches as the tower has.

    DINO ViT-B/8 beside a tower of 16 pixels then has a quarter of the patches, and takes less than a quarter of the
    time; the host's and the feedback's matrices are a sixteenth.
    """

    def __init__(self, proxy: Proxy) -> None:
        """`proxy` takes sides in whole patches of its own."""
        self._proxy = proxy
        self.name = f"{proxy.name} (coarse)"
        self.family = proxy.family

    @property
    def revision(self) -> str:
        return self._proxy.revision

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self._proxy.to(device, dtype)

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        rows, columns = output.grid
        patch = self._proxy.patch_size
        size = (rows * patch, columns * patch)
        smaller = interpolate(pixels, size=size, mode="bicubic", align_corners=False, antialias=True)
        return self._proxy(smaller.clamp(0, 1), output)


def coarsened(proxy: Proxy, patch: int) -> Proxy:
    """A proxy on the grid of a tower with patches of that side; as it is where its own is no finer, or not known."""
    is_finer = 1 < proxy.patch_size < patch and not isinstance(proxy, TowerProxy)
    return CoarseProxy(proxy) if is_finer else proxy
