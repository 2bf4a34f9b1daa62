"""The hosts: what each method puts in the place of a vision transformer's last attention.

Pure functions over queries, keys and proxy features, and one table of them. Shapes: B pictures, H heads, N patches,
P leading tokens that are no patches (class token, registers), M = P + N tokens, d the width of a head. Every function
returns the rows of the patches only: (B, H, N, M) for one attention per head, (B, N, N) for one shared by all heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import normalize

PROXY_BETA = 1.2
PROXY_GAMMA = 3.0
NEIGHBOUR_STD = 5.0


class AttentionInputs(Protocol):
    """What a host may look at; a tower's last block computes each projection only when it is asked for."""

    @property
    def query(self) -> Tensor: ...  # (B, H, M, d)
    @property
    def key(self) -> Tensor: ...  # (B, H, M, d)
    @property
    def prefix(self) -> int: ...  # P
    @property
    def grid(self) -> tuple[int, int]: ...  # rows and columns of the patches
    @property
    def features(self) -> Tensor: ...  # (B, C, h, w), the proxy's


def scaled_products(left: Tensor, right: Tensor, prefix: int) -> Tensor:
    """Scaled dot products of the patches' rows of `left` with all of `right`: (B, H, M, d) twice to (B, H, N, M)."""
    scale = left.shape[-1] ** -0.5
    return (left[:, :, prefix:] * scale) @ right.transpose(-1, -2)


def softmax(scores: Tensor) -> Tensor:
    """Softmax over the last axis, computed in fp32 and returned in the type of `scores`."""
    return scores.softmax(dim=-1, dtype=torch.float32).to(scores.dtype)


def query_key_attention(query: Tensor, key: Tensor, prefix: int = 0) -> Tensor:
    """CLIP's own attention, softmax(q kᵀ / √d): (B, H, N, M)."""
    return softmax(scaled_products(query, key, prefix))


def self_self_attention(projection: Tensor, prefix: int = 0) -> Tensor:
    """softmax(x xᵀ / √d) of one projection x with itself, as ClearCLIP does with the queries: (B, H, N, M)."""
    return softmax(scaled_products(projection, projection, prefix))


def correlative_attention(query: Tensor, key: Tensor, prefix: int = 0) -> Tensor:
    """SCLIP's softmax(q qᵀ / √d) + softmax(k kᵀ / √d), whose rows sum to 2: (B, H, N, M)."""
    return self_self_attention(query, prefix) + self_self_attention(key, prefix)


def neighbour_attention(key: Tensor, grid: tuple[int, int], prefix: int = 0, std: float = NEIGHBOUR_STD) -> Tensor:
    """NACLIP's softmax(k kᵀ / √d + G), G a Gaussian of the distance between two patches: (B, H, N, M).

    `std` is the Gaussian's standard deviation in patches. The leading tokens get no bias.
    """
    scores = scaled_products(key, key, prefix)
    scores[..., prefix:] += gaussian_of_distance(grid, std, scores.device).to(scores.dtype)
    return softmax(scores)


def gaussian_of_distance(grid: tuple[int, int], std: float, device: torch.device | None = None) -> Tensor:
    """exp(−‖x_i − x_j‖² / 2 std²) for every pair of the grid's patches: (N, N), row-major, 1 on the diagonal."""
    rows, columns = (torch.arange(side, device=device, dtype=torch.float32) for side in grid)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack((y.flatten(), x.flatten()), dim=-1)
    squared = (places[:, None] - places[None]).square().sum(-1)
    return torch.exp(-squared / (2 * std**2))


def proxy_attention(features: Tensor, beta: float = PROXY_BETA, gamma: float = PROXY_GAMMA) -> Tensor:
    """ProxyCLIP's attention from another encoder's features: (B, C, h, w) to (B, hw, hw), shared by all heads.

    softmax(γ (S − β·mean S)) over the entries that are not below zero, S the cosines between the features and their
    mean taken per picture. Where all features look alike (a plain wall) no cosine exceeds β times the mean; such a row
    keeps every entry instead of none.
    """
    # in fp32, where the guard against features of length zero is more than nothing
    tokens = normalize(features.flatten(2).transpose(1, 2).float(), dim=-1).to(features.dtype)
    cosines = tokens @ tokens.transpose(-1, -2)
    mean = tokens.float().mean(dim=1).square().sum(-1)  # the mean of all cosines, without touching them
    scores = (cosines.float() - beta * mean[:, None, None]) * gamma
    dropped = scores < 0
    dropped &= ~dropped.all(dim=-1, keepdim=True)
    return scores.masked_fill_(dropped, -torch.inf).softmax(dim=-1).to(features.dtype)


@dataclass(frozen=True)
class Host:
    """A method that replaces the last attention; `attention` returns None for the identity."""

    name: str
    attention: Callable[[AttentionInputs], Tensor | None]
    keeps_residual: bool  # the last block's residual and feed-forward, as published
    row_sum: float  # what each row of the attention sums to
    sees_class_token: bool  # as published; it can be left out
    uses_proxy: bool  # works on the grid of a proxy's features
    reference: str


HOSTS: dict[str, Host] = {
    host.name: host
    for host in (
        Host(
            name="clip",
            attention=lambda block: query_key_attention(block.query, block.key, block.prefix),
            keeps_residual=True,
            row_sum=1.0,
            sees_class_token=True,
            uses_proxy=False,
            reference="Radford et al., ICML 2021, arXiv 2103.00020",
        ),
        Host(
            name="maskclip",
            attention=lambda block: None,
            keeps_residual=False,
            row_sum=1.0,
            sees_class_token=False,
            uses_proxy=False,
            reference="Zhou et al., ECCV 2022, arXiv 2112.01071",
        ),
        Host(
            name="sclip",
            attention=lambda block: correlative_attention(block.query, block.key, block.prefix),
            keeps_residual=True,
            row_sum=2.0,
            sees_class_token=True,
            uses_proxy=False,
            reference="Wang et al., ECCV 2024, arXiv 2312.01597",
        ),
        Host(
            name="clearclip",
            attention=lambda block: self_self_attention(block.query, block.prefix),
            keeps_residual=False,
            row_sum=1.0,
            sees_class_token=True,
            uses_proxy=False,
            reference="Lan et al., ECCV 2024, arXiv 2407.12442",
        ),
        Host(
            name="naclip",
            attention=lambda block: neighbour_attention(block.key, block.grid, block.prefix),
            keeps_residual=False,
            row_sum=1.0,
            sees_class_token=True,
            uses_proxy=False,
            reference="Hajimiri et al., WACV 2025, arXiv 2404.08181",
        ),
        Host(
            name="proxyclip",
            attention=lambda block: proxy_attention(block.features),
            keeps_residual=False,
            row_sum=1.0,
            sees_class_token=False,
            uses_proxy=True,
            reference="Lan et al., ECCV 2024, arXiv 2408.04883",
        ),
    )
}
