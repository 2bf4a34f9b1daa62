"""The feedbacks by their plain formulas: whole matrices and no decision, so that they can be traced for every size.

The same mathematics as in `vision.feedback`, which works block by block, sorts by numpy and looks into its numbers.
Shapes: B windows, N patches, C queries, D the tower's width, E the joint embedding's size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.vision.feedback.affinity import divergences, similarities
from feedseg.vision.feedback.base import AffinityFeedback, Feedback, HostAttention, Project, scale_rows
from feedseg.vision.feedback.calibrated import (
    LEAST_DISTANCE,
    SAMPLED_ROWS,
    CalibratedFeedback,
    beyond_chance,
    beyond_mean,
    distances,
    predicted,
)
from feedseg.vision.feedback.fsa import FSAFeedback
from feedseg.vision.feedback.near import NearFeedback

ALL = slice(None)


def traced_embeddings(
    feedback: Feedback, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project
) -> Tensor:
    """What `Feedback.embed` returns, (B, N, E); arguments as there.

    Raises:
        FeedsegError: the feedback is none of the package's own.
    """
    ensemble = ENSEMBLES.get(type(feedback))
    if ensemble is None:
        raise FeedsegError(
            f"the feedback {type(feedback).__name__} cannot be exported: take paper, calibrated, near or none"
        )
    own = cast(AffinityFeedback, feedback)
    isolated = own.isolate(first, uniform, text)
    for _ in range(own.passes - 1):
        embedded = project(ensemble(own, host, isolated))
        isolated = own.isolate(normalize(embedded.float(), dim=-1), uniform, text)
    return project(ensemble(own, host, isolated))


def paper_attention(log_probabilities: Tensor, keep: float, sharpness: float) -> Tensor:
    """See `affinity.feedback_attention`: (B, N, C) to (B, N, N).

    A row's threshold is the last similarity that stays; of those that equal it the first stay, as many as there is room
    for.
    """
    similarity = similarities(divergences(log_probabilities))
    scores = similarity * (similarity * sharpness).exp()
    if keep < 1:
        ordered = similarity.sort(dim=-1, descending=True).values
        room = (ordered.softmax(dim=-1).cumsum(dim=-1) <= keep).sum(dim=-1, keepdim=True).clamp(min=1)
        threshold = ordered.gather(-1, room - 1)
        larger, equal = similarity > threshold, similarity == threshold
        room = room - larger.sum(dim=-1, keepdim=True)
        scores = scores.masked_fill(~(larger | (equal & (equal.cumsum(dim=-1) <= room))), -torch.inf)
    return scores.softmax(dim=-1)


def paper_ensemble(feedback: FSAFeedback, host: HostAttention, isolated: Tensor) -> Tensor:
    """See `FSAFeedback.ensemble`: (B, N, D)."""
    weights = paper_attention(isolated, feedback.keep, feedback.sharpness).to(host.values.dtype)
    fed_back = weights @ host.patch_values
    if host.weights is None:
        return fed_back
    terms = {
        "FA": lambda: weights @ host.attended,
        "AF": lambda: host.spread(fed_back),
        "F": lambda: scale_rows(fed_back, host.row_sum),
    }
    return torch.stack([terms[term]() for term in feedback.terms]).sum(dim=0) / len(feedback.terms)


def nearest_distance(evidence: Tensor, distance: Tensor, fraction: float) -> Tensor:
    """See `calibrated.nearest_distance`, which takes the same rows: (B, 1, 1).

    Args:
        evidence: (B, N, C).
        distance: of every pair of patches, (B, N, N).
        fraction: of the patches.
    """
    patches = evidence.shape[1]
    rows = torch.arange(0, patches, (patches + SAMPLED_ROWS - 1) // SAMPLED_ROWS)
    ordered = distance[:, rows].sort(dim=-1).values
    of_patches = torch.scalar_tensor(patches, dtype=torch.float64)
    count = torch.minimum((fraction * of_patches).floor().clamp(min=2), of_patches).long()
    within = ordered.index_select(-1, (count - 1).reshape(1))[..., 0]
    return within.mean(dim=-1)[:, None, None].clamp(min=LEAST_DISTANCE)


def calibrated_attention(
    feedback: CalibratedFeedback, related: Tensor | None, isolated: Tensor, direction: Tensor, length: Tensor
) -> Tensor:
    """See `CalibratedFeedback.affinity`: (B, N, N)."""
    distance = distances(isolated, squares=isolated.square().mean(dim=-1))
    scores = distance / (-feedback.bandwidth * nearest_distance(isolated, distance, feedback.nearest))
    scores = scores + (direction @ direction.transpose(-1, -2)).log() + length.log().transpose(-1, -2)
    if related is not None:
        alone = related.sum(dim=-1, keepdim=True) == 0
        scores = scores + related.log().masked_fill(alone, 0) / 2
    return scores.softmax(dim=-1)


def less_mean(direction: Tensor) -> Tensor:
    """See `calibrated.less_mean`: (B, N, C) to (B, N, C + 1)."""
    exact = direction.double()
    exact = exact - exact.mean(dim=1, keepdim=True)
    return torch.cat((exact, exact.square().sum(dim=-1, keepdim=True) / 2), dim=-1).float()


def calibrated_ensemble(feedback: CalibratedFeedback, host: HostAttention, isolated: Tensor) -> Tensor:
    """See `CalibratedFeedback.ensemble`: (B, N, D)."""
    direction, length = predicted(isolated)
    attention = host.among_patches()
    weights = calibrated_attention(feedback, feedback.related(host, attention), isolated, direction, length)
    differing = less_mean(direction)
    short_of_chance = differing[..., -1:] + differing[..., -1:].mean(dim=1, keepdim=True)
    agreement = beyond_mean(differing, weights, ALL)
    own, trust = beyond_chance(agreement, short_of_chance), agreement + (1 - short_of_chance)
    within_host = torch.ones_like(own)
    if attention is not None:
        sums = attention.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        within_host = beyond_chance(beyond_mean(differing, attention, ALL, sums), short_of_chance)
    weights = weights.to(host.values.dtype)
    fed_back = weights @ host.patch_values
    products = weights @ host.attended + host.spread(fed_back)
    joined = products * within_host + scale_rows(fed_back, host.row_sum) * own
    rest = (1 - trust) * within_host
    total = host.attended * rest + joined * (trust / (2 * within_host + own))
    return (total / (trust + rest)).to(host.values.dtype)


ENSEMBLES: dict[type[Feedback], Callable[..., Tensor]] = {
    FSAFeedback: paper_ensemble,
    CalibratedFeedback: calibrated_ensemble,
    NearFeedback: calibrated_ensemble,
}
