"""Ideas for a feedback that takes its scales from the image, tried on scenes and on photographs.

    python -m research.quality.ideas [--scenes 100] [--photographs 100] [--short-side 168] [--root …] [--hosts …]

Scenes: the bundled model, words for patterns, a split that nothing else is reported on. Photographs: the development
split of a folder with a manifest and PASCAL VOC's layout, where it is there. Prints mIoU without feedback and what
every idea gains, with half the width of its paired 95 % bootstrap interval. The outcome is in
research/notes/feedback_ideas.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from research.quality.calibrated import ALL_HOSTS
from research.quality.gains import markdown, measure, photographs, scenes, scenes_question, voc_question
from torch import Tensor
from torch.nn.functional import normalize

from feedseg import CalibratedFeedback, FSAFeedback, Segmenter
from feedseg.settings import WHOLE_IMAGE
from feedseg.vision.feedback.affinity import divergences, similarities, sorted_values
from feedseg.vision.feedback.base import Feedback, HostAttention, Project, scale_rows
from feedseg.vision.feedback.calibrated import LEAST_AGREEMENT, distances, isolated_evidence
from feedseg.vision.feedback.controls import HostTwice, row_normalised
from feedseg.vision.hosts import HOSTS

SCENES_SPLIT = 12
Kernel = Callable[[Tensor, Tensor], Tensor]  # evidence (N, C) and predictions (N, C) to (N, N)


@dataclass(frozen=True)
class Idea(Feedback):
    """A feedback whose evidence e is in units of its root mean square over the image; P = softmax(scale·e).

    F is a kernel of the patches' evidence times what is made of Ā, the host's attention averaged over its heads; rows
    are normalised at the end. One window at a time.
    """

    kernel: Kernel = lambda e, p: p @ p.T
    of_attention: Callable[[Tensor], Tensor] = torch.sqrt
    scale: float = 1.5
    isolation: float = 0.75
    terms: str = "FA AF F"
    trust: Callable[[Tensor, Tensor], Tensor] | None = None  # F and P to (N, 1): the rest stays A
    weighing: Callable[[Tensor, Tensor], Tensor] | None = None  # agreement and chance to how far an attention counts
    selection: float | None = None  # keep as many patches as the own class has, counted with P of this scale

    def embed(self, host: HostAttention, first: Tensor, uniform: Tensor, text: Tensor, project: Project) -> Tensor:
        e = isolated_evidence(first, uniform, text, self.isolation)[0]
        predictions = (self.scale * e).softmax(dim=-1)
        among = host.among_patches()
        attention = None if among is None else row_normalised(among[0])
        weights = self.affinity(e, predictions, attention)
        fed_back, fed_back_attended = (weights @ values for values in (host.patch_values[0], host.attended[0]))
        parts = {
            "FA": fed_back_attended[None],
            "AF": host.spread(fed_back[None]),
            "F": scale_rows(fed_back[None], host.row_sum),
        }
        within_host = torch.ones(len(e), 1)
        counts = dict.fromkeys(self.terms.split(), within_host)
        if self.weighing is not None:
            agreement = cosines(predictions)
            chance = agreement.mean(dim=-1, keepdim=True)
            own = self.weighing((weights * agreement).sum(dim=-1, keepdim=True), chance)
            if attention is not None:
                within_host = self.weighing((attention * agreement).sum(dim=-1, keepdim=True), chance)
            counts = {"FA": within_host, "AF": within_host, "F": own}
        attended = torch.stack([counts[name] * parts[name] for name in counts]).sum(dim=0)
        attended = attended / torch.stack(list(counts.values())).sum(dim=0)
        if self.trust is not None:
            trust = self.trust(weights, predictions)
            rest = (1 - trust) * within_host
            attended = (trust * attended + rest * host.attended) / (trust + rest)
        return project(attended)

    def affinity(self, e: Tensor, predictions: Tensor, attention: Tensor | None) -> Tensor:
        """F, (N, N)."""
        kernel = self.kernel(e, predictions)
        weights = kernel if attention is None else kernel * self.of_attention(attention)
        if self.selection is not None:
            counted = (self.selection * e).softmax(dim=-1)
            count = (counted @ counted.sum(dim=0)).round().long().clamp(1, len(e))
            weights = weights * (weights >= sorted_values(weights).gather(1, (count - 1)[:, None]))
        return weights / weights.sum(dim=-1, keepdim=True)


def beyond_chance(agreement: Tensor, chance: Tensor) -> Tensor:
    """(agreement − chance) / (1 − chance), above zero: Cohen's correction (1960)."""
    return ((agreement - chance) / (1 - chance).clamp(min=LEAST_AGREEMENT)).clamp(min=LEAST_AGREEMENT)


def cosines(rows: Tensor) -> Tensor:
    unit = normalize(rows, dim=-1)
    return unit @ unit.T


def walk(e: Tensor, p: Tensor) -> Tensor:
    """Each class's part divided by how many patches it has: a walk from patch to class to patch."""
    return (p / p.sum(dim=0)) @ p.T


def kullback_leibler(e: Tensor, p: Tensor) -> Tensor:
    """The paper's similarity with λ = 3, nothing pruned."""
    kernel = similarities(divergences(p.log()[None]))[0]
    return kernel * (3 * kernel).exp()


def gauss(width: float) -> Kernel:
    """A Gaussian of the evidence's difference, as wide as `width` root mean squares."""
    return lambda e, p: (distances(e[None])[0] / (-2 * width**2)).exp()


def nearest_gauss(fraction: float, bandwidth: float) -> Kernel:
    """A Gaussian as wide as the distance of the nearest fraction of all patches, on average."""

    def kernel(e: Tensor, p: Tensor) -> Tensor:
        found = distances(e[None])[0]
        near = found.kthvalue(max(2, int(fraction * len(e))), dim=-1).values.mean()
        return (found / (-bandwidth * near)).exp()

    return kernel


def agreeing(weights: Tensor, predictions: Tensor) -> Tensor:
    """π_i = Σ_j F_ij cos(P_i, P_j): how much a patch agrees with those that it is averaged with."""
    return (weights * cosines(predictions)).sum(dim=-1, keepdim=True)


def agreeing_with_mean(weights: Tensor, predictions: Tensor) -> Tensor:
    """cos(P_i, Σ_j F_ij P_j)."""
    return torch.nn.functional.cosine_similarity(predictions, weights @ predictions, dim=-1)[:, None]


def confidence(weights: Tensor, predictions: Tensor) -> Tensor:
    return predictions.max(dim=-1, keepdim=True).values


A = Idea()
TRUSTED = Idea(trust=agreeing)
WEIGHED = Idea(trust=agreeing, weighing=beyond_chance)
CALIBRATED = CalibratedFeedback()
IDEAS: dict[str, str | Feedback] = {
    "none": "none",
    "paper": FSAFeedback(),
    "softer": FSAFeedback(7.0, 12.25, 0.34, 3.5),
    "softer, p 0.05": FSAFeedback(7.0, 12.25, 0.05),
    "host twice": HostTwice(),
    "A": A,
    "A, walk": replace(A, kernel=walk),
    "A, size": replace(A, selection=3.0),
    "trust": TRUSTED,
    "trust, size": replace(TRUSTED, selection=3.0),
    "trust²": replace(A, trust=lambda f, p: agreeing(f, p) ** 2),
    "trust of the mean": replace(A, trust=agreeing_with_mean),
    "trust by confidence": replace(A, trust=confidence),
    "trust, Ā": replace(TRUSTED, of_attention=lambda a: a),
    "trust, √(Ā + 1/N)": replace(TRUSTED, of_attention=lambda a: (a + 1 / len(a)).sqrt()),
    "trust, cosine": replace(TRUSTED, kernel=lambda e, p: cosines(p)),
    "trust, correlation": replace(TRUSTED, kernel=lambda e, p: cosines(e).clamp(min=0)),
    "trust, correlation²": replace(TRUSTED, kernel=lambda e, p: cosines(e).clamp(min=0) ** 2),
    "trust, KL": replace(TRUSTED, kernel=kullback_leibler),
    "trust, F alone": replace(TRUSTED, terms="F"),
    "trust, FA alone": replace(TRUSTED, terms="FA"),
    "trust, AF alone": replace(TRUSTED, terms="AF"),
    "weighed by agreement": replace(TRUSTED, weighing=lambda agreement, chance: agreement),
    "weighed beyond chance": WEIGHED,
    "weighed, KL": replace(WEIGHED, kernel=kullback_leibler),
    "weighed, gauss 0.3": replace(WEIGHED, kernel=gauss(0.3)),
    "weighed, gauss 0.5": replace(WEIGHED, kernel=gauss(0.5)),
    "weighed, gauss 0.8": replace(WEIGHED, kernel=gauss(0.8)),
    "weighed, nearest 0.1 × 1": replace(WEIGHED, kernel=nearest_gauss(0.1, 1.0)),
    "weighed, nearest 0.1 × 2": replace(WEIGHED, kernel=nearest_gauss(0.1, 2.0)),
    "weighed, nearest 0.2 × 2": replace(WEIGHED, kernel=nearest_gauss(0.2, 2.0)),
    "calibrated": CALIBRATED,
    "calibrated, bandwidth 1": replace(CALIBRATED, bandwidth=1.0),
    "calibrated, bandwidth 2": replace(CALIBRATED, bandwidth=2.0),
    "calibrated, bandwidth 6": replace(CALIBRATED, bandwidth=6.0),
    "calibrated, nearest 0.05": replace(CALIBRATED, nearest=0.05),
    "calibrated, nearest 0.2": replace(CALIBRATED, nearest=0.2),
    "calibrated, isolation 0": replace(CALIBRATED, isolation=0.0),
    "calibrated, isolation 0.5": replace(CALIBRATED, isolation=0.5),
    "calibrated, isolation 1": replace(CALIBRATED, isolation=1.0),
    "calibrated, two passes": replace(CALIBRATED, passes=2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--short-side", type=int, default=168, help="of the photographs, pixels")
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    parser.add_argument("--hosts", nargs="+", choices=HOSTS.names(), default=ALL_HOSTS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    works: list[tuple[str, Any, Any, Any, Any]] = []
    if options.scenes:
        examples = scenes(options.scenes, SCENES_SPLIT)
        works.append(("scenes", "mini", None, scenes_question(), examples))
    if options.photographs and (options.root / "feedseg.json").is_file():
        examples = photographs(options.root, "val", options.photographs)
        settings = replace(WHOLE_IMAGE, short_side=options.short_side)
        works.append(("photographs", Segmenter.load(options.root).model, settings, voc_question(), examples))
    for name, model, settings, question, examples in works:
        found = {}
        for host in options.hosts:
            proxy = "self" if host == "proxyclip" else None
            segmenter = Segmenter.load(model, host=host, proxy=proxy, settings=settings)
            found[host] = measure(segmenter, [question], examples, IDEAS)[question.name]
        print(markdown(f"{len(examples)} {name}", found), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
