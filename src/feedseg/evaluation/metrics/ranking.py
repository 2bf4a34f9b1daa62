"""Which images a report shows: for every variant those that gain and lose most by it, its best and its worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from feedseg.evaluation.experiment import NONE, with_feedback

if TYPE_CHECKING:
    from feedseg.evaluation.metrics.results import VariantResult

EACH = 3  # images of every order


@dataclass(frozen=True)
class Choice:
    """An image that is shown, and why; the mean IoU of its target's classes without feedback and as shown."""

    name: str
    heading: str
    without: float | None
    chosen: float


def shown_variant(variants: Sequence[str] | Mapping[str, object]) -> str:
    """The one that a report begins with: the first with feedback, or else the first of all."""
    names = list(variants)
    return next(iter(with_feedback(names)), names[0])


def chosen_images(names: Sequence[str], variants: Mapping[str, VariantResult]) -> dict[str, list[Choice]]:
    """For every variant beside the baseline, or for that alone, the images to show; that to begin with first."""
    first = shown_variant(variants)
    by = [first, *(name for name in variants if name not in (NONE, first))]
    return {name: _chosen_by(name, names, variants) for name in by}


def _chosen_by(variant: str, names: Sequence[str], variants: Mapping[str, VariantResult]) -> list[Choice]:
    """The largest gains and losses where both were measured, then the best and the worst; each image once."""
    chosen = variants[variant].by_image
    without = variants[NONE].by_image if NONE in variants and variant != NONE else None
    known = np.flatnonzero(~np.isnan(chosen))
    orders: list[tuple[str, np.ndarray]] = []
    if without is not None:
        gains = (chosen - without)[known]
        orders.append(("Largest gains", known[np.argsort(-gains, kind="stable")][: int((gains > 0).sum())]))
        orders.append(("Largest losses", known[np.argsort(gains, kind="stable")][: int((gains < 0).sum())]))
    orders.append(("Best", known[np.argsort(-chosen[known], kind="stable")]))
    orders.append(("Worst", known[np.argsort(chosen[known], kind="stable")]))
    choices: dict[str, Choice] = {}
    for heading, order in orders:
        unseen: list[int] = [index for index in order.tolist() if names[index] not in choices][:EACH]
        for index in unseen:
            before = None if without is None else float(without[index])
            choices[names[index]] = Choice(names[index], heading, before, float(chosen[index]))
    return list(choices.values())
