"""What a gain of feedback must beat: readings that are as smooth, but know nothing of the words.

Each can take a feedback's place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from feedseg.vision.feedback.base import LastAttention, scale_rows
from feedseg.vision.hosts.attention import gaussian_of_distance

Read = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class HostTwice:
    """The host's attention applied twice, A A v / r."""

    def reread(self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Read) -> Tensor:
        """See `Feedback.reread`."""
        if last.weights is None:
            return read(last.attended)
        inverse = 1 / last.row_sum
        return read(scale_rows(last.spread(last.attended), inverse))


@dataclass(frozen=True)
class HostOnLogits:
    """The host's attention, averaged over its heads, applied to the first reading's cosines."""

    def reread(self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Read) -> Tensor:
        """See `Feedback.reread`; smoothing the unit embeddings smooths their cosines."""
        attention = last.among_patches()
        return first if attention is None else row_normalised(attention) @ first


@dataclass(frozen=True)
class GaussianOnLogits:
    """A Gaussian of the distance between patches applied to the first reading's cosines."""

    std: float = 1.0  # in patches

    def reread(self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Read) -> Tensor:
        """See `Feedback.reread`."""
        if last.grid is None:
            raise ValueError("a Gaussian needs to know the grid of the patches")
        weights = gaussian_of_distance(last.grid, self.std, first.device)
        return row_normalised(weights) @ first


@dataclass(frozen=True)
class RootOfHost:
    """(R A + A R + r R) / 3, R the square root of the host's attention with its rows normalised."""

    def reread(self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Read) -> Tensor:
        """See `Feedback.reread`."""
        attention = last.among_patches()
        if attention is None:
            return read(last.attended)
        root = row_normalised(attention.sqrt()).to(last.values.dtype)
        spread, attended = (root @ last.patch_values, root @ last.attended)
        return read((attended + last.spread(spread) + scale_rows(spread, last.row_sum)) / 3)


def row_normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=-1, keepdim=True)


CONTROLS: dict[str, HostTwice | HostOnLogits | GaussianOnLogits | RootOfHost] = {
    "host twice": HostTwice(),
    "host on logits": HostOnLogits(),
    "gaussian on logits": GaussianOnLogits(),
    "root of host": RootOfHost(),
}
