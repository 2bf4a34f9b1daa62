"""What a gain of feedback must beat: second attentions that smooth as much, but know nothing of the words.

Each can take a feedback's part.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.vision.feedback.base import Feedback, HostAttention, Project, scale_rows
from feedseg.vision.ops import gaussian_of_distance


@dataclass(frozen=True)
class HostTwice(Feedback):
    """The host's attention applied twice, A A v / r."""

    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        if host.weights is None:
            return project(host.attended)
        inverse = 1 / host.row_sum
        return project(scale_rows(host.spread(host.attended), inverse))


@dataclass(frozen=True)
class HostOnLogits(Feedback):
    """The host's attention, averaged over its heads, applied to the host's cosines."""

    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        attention = host.among_patches()  # smoothing the unit embeddings smooths their cosines
        return first if attention is None else row_normalised(attention) @ first


@dataclass(frozen=True)
class GaussianOnLogits(Feedback):
    """A Gaussian of the distance between patches applied to the host's cosines."""

    std: float = 1.0  # in patches

    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        if host.grid is None:
            raise ValueError("a Gaussian needs to know the grid of the patches")
        weights = gaussian_of_distance(host.grid, self.std, first.device)
        return row_normalised(weights) @ first


@dataclass(frozen=True)
class RootOfHost(Feedback):
    """(R A + A R + r R) / 3, R the square root of the host's attention with its rows normalised."""

    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        attention = host.among_patches()
        if attention is None:
            return project(host.attended)
        root = row_normalised(attention.sqrt()).to(host.values.dtype)
        spread, attended = (root @ host.patch_values, root @ host.attended)
        return project((attended + host.spread(spread) + scale_rows(spread, host.row_sum)) / 3)


def row_normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=-1, keepdim=True)


CONTROLS: dict[str, Feedback] = {
    "host twice": HostTwice(),
    "host on logits": HostOnLogits(),
    "gaussian on logits": GaussianOnLogits(),
    "root of host": RootOfHost(),
}
