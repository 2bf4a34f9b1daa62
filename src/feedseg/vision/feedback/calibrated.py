"""A feedback that takes its scales from the image, so that one set of constants serves every tower and host.

Beside the paper's (`FSAFeedback`), built from the same steps; docs/calibrated.md has the formulas and what they
gain. Shapes: B windows, N patches, C queries, D the tower's width; A the host's attention, Ā its mean over heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from feedseg.errors import InvalidValueError, checked_number
from feedseg.vision.feedback.base import Affinity, AffinityFeedback, HostAttention, Stage, apply_rows, scale_rows
from feedseg.vision.ops import accurate_dtype

ROWS = 256  # patches whose numbers for all queries exist a second time, or in fp64
SAMPLED_ROWS = 256  # enough to know how far a patch's nearest are
LEAST_DISTANCE = 1e-4  # a hundredth of the evidence's root mean square, squared: nearer than that is rounding
LEAST_AGREEMENT = 1e-4


@dataclass(frozen=True)
class CalibratedFeedback(AffinityFeedback):
    """Feedback in units of the image: what its patches predict, how much that varies, and how well they agree.

    Every constant is dimensionless: evidence is in units of its own root mean square over the image, and the
    bandwidth in units of the squared distance within which a patch has the nearest tenth (`nearest`) of all.
    """

    isolation: float = 0.75  # of the uniform attention's cosines, which a patch would have anyway
    nearest: float = 0.1
    bandwidth: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("nearest", "bandwidth", "isolation"):
            checked_number(getattr(self, name), name)
        if not 0 < self.nearest <= 1:
            raise InvalidValueError(f"nearest is a fraction of the patches, above 0 and at most 1, not {self.nearest}")
        if self.bandwidth <= 0:
            raise InvalidValueError(f"the bandwidth is a number above 0, not {self.bandwidth}")

    def isolate(self, first: Tensor, uniform: Tensor, text: Tensor) -> Tensor:
        return isolated_evidence(first, uniform, text, self.isolation)

    def affinity(self, host: HostAttention, isolated: Tensor) -> Affinity:
        """F_ij ∝ (P_i · P_j) · exp(−d_ij / (bandwidth·q)) · √Ā_ij, without √Ā where the host is the identity."""
        return self._affinity(self.related(host, host.among_patches()), isolated, *predicted(isolated))

    def related(self, host: HostAttention, attention: Tensor | None) -> Tensor | None:
        """Which patches belong together whatever is asked for, (B, N, N), fp32: the host's attention; None: any do."""
        return attention

    def _affinity(self, attention: Tensor | None, isolated: Tensor, direction: Tensor, length: Tensor) -> Affinity:
        bandwidth = self.bandwidth * nearest_distance(isolated, self.nearest)  # (B, 1, 1)
        log_length = length.log().transpose(-1, -2)
        squares = mean_squares(isolated)
        # a patch that attends to no other is left to what is alike alone
        alone = None if attention is None else attention.sum(dim=-1, keepdim=True) == 0

        def rows(block: slice) -> Tensor:
            # the softmax does away with what is the same for a whole row: P_i's length, what the rows of Ā sum to
            scores = distances(isolated, block, squares=squares).div_(-bandwidth)
            scores += (direction[:, block] @ direction.transpose(-1, -2)).log_()
            scores += log_length
            if attention is not None and alone is not None:
                scores += attention[:, block].log().masked_fill_(alone[:, block], 0).div_(2)
            return scores.softmax(dim=-1)

        return rows

    def stages(self, isolated: Tensor, patch: int) -> tuple[Stage, ...]:
        """The two factors of F that come from the words; √Ā is the third, and the rows are made to sum to one."""
        direction, length = predicted(isolated)
        row = slice(patch, patch + 1)
        agreement = (direction[:, row] * length[:, row]) @ (direction * length).transpose(-1, -2)
        bandwidth = self.bandwidth * nearest_distance(isolated, self.nearest)
        nearness = distances(isolated, row).div_(-bandwidth).exp_()
        return (
            Stage("agreement", "probability that both predict the same", agreement[0, 0]),
            Stage("nearness", "how near their evidence is", nearness[0, 0]),
        )

    def ensemble(self, host: HostAttention, isolated: Tensor) -> Tensor:
        """The ensemble, each attention weighed by how far it joins patches that agree, applied to the values.

        E = (a (F A + A F) + f r F) / (2 a + f) and A'' = (φ E + (1 − φ) a A) / (φ + (1 − φ) a), row by row; φ is the
        agreement within F, and f and a are those within F and A beyond chance.
        """
        fed_back, fed_back_attended, trust, within_host, own = self._gather(host, isolated)
        products = fed_back_attended.add_(host.spread(fed_back))
        rest = (1 - trust) * within_host
        of_ensemble, of_host = trust / (trust + rest), rest / (trust + rest)
        total = host.attended * of_host
        total = torch.addcmul(total, products, of_ensemble * within_host / (2 * within_host + own))
        fed_back = scale_rows(fed_back, host.row_sum)
        return torch.addcmul(total, fed_back, of_ensemble * own / (2 * within_host + own)).to(host.values.dtype)

    def _gather(self, host: HostAttention, isolated: Tensor) -> tuple[Tensor, ...]:
        """F v and F A v, (B, N, D); the agreement within F, and those within A and F beyond chance, (B, N, 1)."""
        direction, length = predicted(isolated)
        attention = host.among_patches()
        weights = self._affinity(self.related(host, attention), isolated, direction, length)
        differing = less_mean(direction)
        short_of_chance = differing[..., -1:] + differing[..., -1:].mean(dim=1, keepdim=True)
        within_feedback, within_host = [], []

        def observed(block: slice) -> Tensor:
            rows = weights(block)
            within_feedback.append(beyond_mean(differing, rows, block))
            if attention is not None:
                of_host = attention[:, block]
                sums = of_host.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
                within_host.append(beyond_mean(differing, of_host, block, sums))
            return rows

        fed_back, fed_back_attended = apply_rows(observed, host.patch_values, host.attended)
        own = torch.cat(within_feedback, dim=1)
        trust = own + (1 - short_of_chance)
        of_host = beyond_chance(torch.cat(within_host, dim=1), short_of_chance) if within_host else torch.ones_like(own)
        return fed_back, fed_back_attended, trust, of_host, beyond_chance(own, short_of_chance)


def isolated_evidence(first: Tensor, uniform: Tensor, text: Tensor, isolation: float) -> Tensor:
    """What the attention contributed to a patch's cosines, in units of its root mean square: (B, N, C), fp32.

    cos(z_i, t_c) − isolation·cos(u_i, t_c), less the patch's mean over the queries.

    Args:
        first: unit embeddings z by the host alone, (B, N, E).
        uniform: unit embeddings u from a uniform attention, (B, N, E) or (B, 1, E) where all patches agree.
        text: unit embeddings of the queries, (C, E).
    """
    text = text.float()
    evidence = (first.float() @ text.T).sub_((uniform.float() @ text.T).mul_(isolation))
    evidence -= evidence.mean(dim=-1, keepdim=True)
    spread = evidence.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    return evidence.div_(spread.clamp(min=torch.finfo(spread.dtype).eps))


def predicted(evidence: Tensor) -> tuple[Tensor, Tensor]:
    """P = softmax(e) as unit vectors and their lengths: (B, N, C) to (B, N, C) and (B, N, 1)."""
    predictions = evidence.softmax(dim=-1)
    length = predictions.norm(dim=-1, keepdim=True)
    return predictions.div_(length), length


def distances(evidence: Tensor, rows: slice = slice(None), step: int = 1, squares: Tensor | None = None) -> Tensor:
    """Mean squared difference over the queries, of the given rows and all patches: (B, N, C) to (B, rows, N).

    `squares` are those of `mean_squares`, where they are known already.
    """
    some = evidence[:, rows][:, ::step]
    squares = mean_squares(evidence) if squares is None else squares
    products = some @ evidence.transpose(-1, -2)
    products.mul_(-2 / evidence.shape[-1])
    return products.add_(squares[:, None]).add_(squares[:, rows][:, ::step, None]).clamp_(min=0)


def mean_squares(evidence: Tensor) -> Tensor:
    """Of every patch over the queries, (B, N, C) to (B, N); squares of some patches exist at a time."""
    return torch.cat([some.square().mean(dim=-1) for some in evidence.split(ROWS, dim=1)], dim=1)


def nearest_distance(evidence: Tensor, fraction: float) -> Tensor:
    """The distance within which a patch has a fraction of all patches, itself among them, on average: (B, 1, 1).

    Averaged over some rows, evenly spaced.
    """
    patches = evidence.shape[1]
    found = distances(evidence, step=-(-patches // SAMPLED_ROWS))
    count = min(patches, max(2, int(fraction * patches)))
    within = found.topk(count, dim=-1, largest=False).values[..., -1]
    return within.mean(dim=-1)[:, None, None].clamp(min=LEAST_DISTANCE)


def less_mean(direction: Tensor) -> Tensor:
    """What unit vectors differ by from their mean, d, and behind it ‖d‖² / 2: (B, N, C) to (B, N, C + 1).

    Predictions may nearly agree. Then cosines are nearly 1, and what a cosine exceeds another by, or falls short of 1
    by, is lost in their rounding; so it is taken from squared differences, 1 − cos(P, Q) = ‖P − Q‖² / 2.
    """
    accurate = accurate_dtype(direction.device)
    sums = [some.to(accurate).sum(dim=1, keepdim=True) for some in direction.split(ROWS, dim=1)]
    mean = torch.stack(sums).sum(dim=0) / direction.shape[1]
    found = direction.new_empty(*direction.shape[:2], direction.shape[2] + 1)
    for start in range(0, direction.shape[1], ROWS):
        rows = slice(start, start + ROWS)
        exact = direction[:, rows].to(accurate) - mean
        found[:, rows, :-1] = exact
        found[:, rows, -1:] = exact.square().sum(dim=-1, keepdim=True) / 2
    return found


def beyond_mean(differing: Tensor, weights: Tensor, rows: slice, sums: Tensor | float = 1.0) -> Tensor:
    """How far the cosine of a patch with what it gathers exceeds that with the mean of all patches: (B, rows, 1).

    Args:
        differing: of all patches, from `less_mean`.
        weights: what the patches of `rows` gather, (B, rows, N).
        sums: of each row of the weights, (B, rows, 1).
    """
    gathered = weights @ differing / sums
    products = (differing[:, rows, :-1] * gathered[..., :-1]).sum(dim=-1, keepdim=True)
    return products - gathered[..., -1:] + differing[..., -1:].mean(dim=1, keepdim=True)


def beyond_chance(difference: Tensor, short_of_chance: Tensor) -> Tensor:
    """(agreement − chance) / (1 − chance), above zero, from its two differences: Cohen's correction (1960)."""
    return (difference / short_of_chance.clamp(min=LEAST_AGREEMENT)).clamp(min=LEAST_AGREEMENT)


FEEDBACK = CalibratedFeedback()
