"""The paper's feedback: feedback self-adaptive attention (FSA; Chi et al., ICCV 2025, arXiv 2508.20265)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from feedseg.errors import InvalidValueError, brief, checked_number
from feedseg.vision.feedback.affinity import (
    divergences,
    feedback_attention,
    isolated_log_probabilities,
    kept,
    similarities,
)
from feedseg.vision.feedback.base import Affinity, AffinityFeedback, HostAttention, Stage, apply_rows, scale_rows

TERMS = ("FA", "AF", "F")  # of the ensemble
MOST_SHARPNESS = 80.0  # exp(80) is still an fp32 number
# The paper's sharpness λ where it is not its usual 3.0: by the tower's width (1280 is ViT-H), by the proxy's family.
# Where both apply the proxy's counts.
SHARPNESS_BY_WIDTH = {1280: 2.3}
SHARPNESS_BY_PROXY = {"vit_mae": 4.5}


@dataclass(frozen=True)
class FSAFeedback(AffinityFeedback):
    """Attention isolation, confidence-based pruning and the adaptation ensemble, with the paper's constants.

    The defaults are those for CLIP ViT-B and ViT-L with DINO, DINOv2 or SAM proxies; `fitted` gives the others.
    """

    scale: float = 20.0  # a, of the first projection's cosines
    isolation: float = 35.0  # b, of the uniform attention's cosines
    keep: float = 0.45  # p, the fraction of a row's softmax that pruning keeps
    sharpness: float = 3.0  # λ
    terms: tuple[str, ...] = field(default=TERMS, kw_only=True)  # of the ensemble, which is their mean

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.terms, tuple) or not all(isinstance(term, str) for term in self.terms):
            raise InvalidValueError(f"the terms of the ensemble are a tuple of names, not {brief(self.terms)}")
        for name in ("scale", "isolation", "keep", "sharpness"):
            checked_number(getattr(self, name), name)
        if not self.terms or len(set(self.terms)) < len(self.terms) or not set(self.terms) <= set(TERMS):
            raise InvalidValueError(
                f"the terms of the ensemble are some of {', '.join(TERMS)}, not {brief(self.terms)}"
            )
        if not 0 < self.keep <= 1:
            raise InvalidValueError(f"keep is a fraction of a row, above 0 and at most 1, not {self.keep}")
        if not 0 <= self.sharpness <= MOST_SHARPNESS:
            raise InvalidValueError(f"sharpness is 0 to {MOST_SHARPNESS:g}, beyond which its exponential is no number")

    def fitted(self, width: int, proxy: str) -> FSAFeedback:
        by_width = SHARPNESS_BY_WIDTH.get(width, self.sharpness)
        return replace(self, sharpness=SHARPNESS_BY_PROXY.get(proxy, by_width))

    def isolate(self, first: Tensor, uniform: Tensor, text: Tensor) -> Tensor:
        return isolated_log_probabilities(first, uniform, text, self.scale, self.isolation)

    def affinity(self, host: HostAttention, isolated: Tensor) -> Affinity:
        return partial(feedback_attention, isolated, self.keep, self.sharpness)

    def ensemble(self, host: HostAttention, isolated: Tensor) -> Tensor:
        """The adaptation ensemble applied to the values, by default (F A + A F + r F) v / 3: (B, N, D)."""
        feedback = self.affinity(host, isolated)
        if host.weights is None:  # with A the identity all terms are one
            return apply_rows(feedback, host.patch_values)[0]
        needed = (host.patch_values, host.attended) if "FA" in self.terms else (host.patch_values,)
        fed_back, *rest = apply_rows(feedback, *needed)
        total = rest[0] if rest else torch.zeros_like(fed_back)
        if "AF" in self.terms:
            total += host.spread(fed_back)
        if "F" in self.terms:
            total += scale_rows(fed_back, host.row_sum)
        return total.div_(len(self.terms))

    def stages(self, isolated: Tensor, patch: int) -> tuple[Stage, ...]:
        similarity = similarities(divergences(isolated, slice(patch, patch + 1)))
        return (
            Stage("similarity", "1 / (1 + KL) of the isolated predictions", similarity[0, 0]),
            Stage("kept", "the patches that pruning keeps", kept(similarity, self.keep)[0, 0]),
        )


FEEDBACK = FSAFeedback()
