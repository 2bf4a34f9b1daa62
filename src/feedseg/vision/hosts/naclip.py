"""NACLIP: key-key attention with a Gaussian of the distance between patches."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.settings import Settings
from feedseg.vision.hosts.attention import scaled_products, softmax
from feedseg.vision.hosts.base import Host
from feedseg.vision.ops import gaussian_of_distance
from feedseg.vision.towers.base import TowerOutput

NEIGHBOUR_STD = 5.0


def neighbour_attention(key: Tensor, grid: tuple[int, int], prefix: int = 0, std: float = NEIGHBOUR_STD) -> Tensor:
    """softmax(k kᵀ / √d + G), G a Gaussian of the distance between two patches: (B, H, M, d) to (B, H, N, M).

    `std` is the Gaussian's standard deviation in patches. The leading tokens get no bias.
    """
    scores = scaled_products(key, key, prefix)
    scores[..., prefix:] += gaussian_of_distance(grid, std, scores.device).to(scores.dtype)
    return softmax(scores)


@dataclass(frozen=True)
class Naclip(Host):
    """Keys with keys, nearby patches preferred; residual and feed-forward dropped."""

    std: float = NEIGHBOUR_STD  # of the Gaussian, in patches

    name = "naclip"
    title = "softmax(k·kᵀ/√d + Gaussian of the distance)"
    citation = "Hajimiri et al., WACV 2025, arXiv 2404.08181"
    settings = Settings(window=224, stride=112)
    protocol = "naclip"

    def attention(self, output: TowerOutput, features: Tensor | None) -> Tensor:
        last = output.last
        return neighbour_attention(last.key, output.grid, last.prefix, self.std)


HOST = Naclip()
