"""The closed form behind the alignment: pool patches by thing, regress, pool again.

Every photograph's things compete for its patches. With the patches h (layer-normed features), a thing's words
y = Wᵀe (whitened encoder embeddings) and its weight K, one round is

  q_i  ∝ exp(τ cos(Aᵀ(h_i − μ), y)) · share of the thing among the photograph's things at patch i
  f    = Σ q_i h_i
  A    = (Σ K (f − f̄)(f − f̄)ᵀ + within-thing scatter + ridge·I)⁻¹ Σ (f − f̄)(s − K ȳ)ᵀ,   s = Σ k_w y_w, K = Σ k_w

The first round has q uniform. Nothing is random but the choice of patches, which is seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from alignment import EPS, Alignment
from torch import Tensor
from torch.nn.functional import normalize
from words import Photograph


@dataclass(frozen=True)
class Options:
    """Every number of the fit."""

    rounds: int = 3  # poolings after the first
    pooling: float = 20.0  # τ
    competition: float = 20.0  # sharpness of the things' shares at a patch
    within: float = 1.0  # weight of the scatter of a thing's own patches
    ridge: float = 100.0
    text_ridge: float = 0.01  # in the whitening of the words
    scale_power: float = 0.25


@dataclass
class Things:
    """The things of all photographs, side by side: T of them."""

    photograph: Tensor  # (T,), which photograph
    weight: Tensor  # (T,), K
    target: Tensor  # (T, E), s
    by_photograph: list[Tensor]  # the indices of each photograph's things


def power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(matrix.double())
    return (vectors * values.clamp(min=1e-8) ** exponent @ vectors.T).float()


def whitening(embeddings: Tensor, ridge: float) -> Tensor:
    """W = U (Λ + ridge)^−½ from the uncentred second moment of the words: (E, E)."""
    values, vectors = torch.linalg.eigh((embeddings.T @ embeddings / len(embeddings)).double())
    return (vectors * (values + ridge) ** -0.5).float()


def gather(photographs: list[Photograph], words: dict[str, int], targets: Tensor) -> Things:
    """The things' weights and targets from the words' whitened embeddings."""
    owner, weight, target = [], [], []
    by_photograph: list[Tensor] = []
    for index, photograph in enumerate(photographs):
        start = len(owner)
        for thing in photograph.things:
            if thing.words:
                values = torch.tensor(list(thing.words.values()))
                owner.append(index)
                weight.append(float(values.sum()))
                target.append(values @ targets[[words[word] for word in thing.words]])
        by_photograph.append(torch.arange(start, len(owner)))
    return Things(torch.tensor(owner), torch.tensor(weight), torch.stack(target), by_photograph)


def pool(patches: Tensor, embedded: Tensor, things: Things, options: Options) -> tuple[Tensor, Tensor]:
    """Every thing's mean patch, (T, D), and the scatter of the patches around these means, (D, D)."""
    directions = normalize(things.target, dim=-1)
    means = torch.empty(len(directions), patches.shape[-1])
    scatter = torch.zeros(patches.shape[-1], patches.shape[-1])
    for index, own in enumerate(things.by_photograph):
        if not len(own):
            continue
        cosines = embedded[index] @ directions[own].T
        shares = (options.competition * cosines).log_softmax(dim=1)
        weights = (options.pooling * cosines + shares).softmax(dim=0)  # (n, things), every thing's sum to one
        means[own] = weights.T @ patches[index]
        by_patch = (weights * things.weight[own]).sum(dim=1, keepdim=True)
        scaled = means[own] * things.weight[own, None].sqrt()
        scatter += (patches[index] * by_patch).T @ patches[index] - scaled.T @ scaled
    return means, scatter


def regress(means: Tensor, scatter: Tensor | None, things: Things, options: Options) -> tuple[Tensor, Tensor]:
    """A (D, E) and the weighted mean of the things' features (D,)."""
    weight = things.weight[:, None]
    centre = (means * weight).sum(dim=0) / weight.sum()
    centred = means - centre
    covariance = (centred * weight).T @ centred + options.ridge * torch.eye(means.shape[-1])
    if scatter is not None:
        covariance += options.within * scatter
    moment = centred.T @ (things.target - weight * (things.target.sum(dim=0) / weight.sum()))
    return torch.linalg.solve(covariance, moment), centre


def solve(
    patches: Tensor, photographs: list[Photograph], words: dict[str, int], embeddings: Tensor, options: Options
) -> Alignment:
    """The alignment.

    Args:
        patches: layer-normed features of n patches of every photograph, (P, n, D).
        photographs: what they show, in the same order.
        words: every word's row in `embeddings`.
        embeddings: the encoder's unit embeddings, (W, E).
    """
    whiten = whitening(embeddings, options.text_ridge)
    things = gather(photographs, words, embeddings @ whiten)
    matrix, centre = regress(patches.mean(dim=1)[things.photograph], None, things, options)
    for _ in range(options.rounds):
        embedded = normalize((patches - centre) @ matrix, dim=-1)
        means, scatter = pool(patches, embedded, things, options)
        matrix, centre = regress(means, scatter, things, options)
    embedded = normalize((patches.flatten(0, 1) - centre) @ matrix, dim=-1)
    moment = embedded.T @ embedded / len(embedded)
    projection = matrix @ power(moment, -options.scale_power)
    text_projection = whiten @ power(moment, options.scale_power)
    scale = projection.norm() / projection.shape[1] ** 0.5  # lengths do not matter; float16 likes numbers near one
    text_scale = text_projection.norm() / projection.shape[1] ** 0.5
    ones = torch.ones(len(centre))
    return Alignment(ones, -centre, projection / scale, text_projection / text_scale, None, EPS)
