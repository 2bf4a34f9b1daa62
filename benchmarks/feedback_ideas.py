"""Ideas for a feedback that takes its scales from the picture, tried on scenes and on photographs.

    python benchmarks/feedback_ideas.py [--scenes 60] [--photographs 100] [--root ../shared/realbench] [--hosts …]

Scenes: the bundled model, words for patterns, a split that nothing is reported on. Photographs: the development split
of a folder with a manifest and PASCAL VOC's layout, where it is there; every third pixel counts. Prints mIoU without
feedback and what every idea gains, with half the width of its paired 95 % bootstrap interval. docs/experiments.md says
what came of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from feedseg import FeedbackAttention, Segmenter, Vocabulary
from feedseg.evaluation.benchmarks import load_benchmark
from feedseg.evaluation.bootstrap import PictureAreas, gain_interval, iou_interval
from feedseg.evaluation.datasets import find_samples
from feedseg.evaluation.metrics import confusion_matrix
from feedseg.labelling import label_pixels
from feedseg.pictures import Picture, read_picture
from feedseg.scenes import BACKGROUNDS, HELD_OUT, PATTERNS, draw_scene
from feedseg.vision.controls import HostTwice
from feedseg.vision.correspondence import divergences, similarities, sorted_values
from feedseg.vision.feedback import LastAttention, scale_rows
from realbench import VOC

ISOLATION = 0.75  # of the uniform reading's cosines
SPLIT, SIZE = 12, 192  # of the scenes
STEP = 3  # every third pixel of a photograph counts


@dataclass(frozen=True)
class Idea:
    """A feedback whose scales are relative to σ, the root mean square of the isolated cosines over the picture.

    P = softmax(scale·e / σ). F starts from P_i·P_j, or s·exp(3 s) of the KL divergence, times √Ā, Ā the host's
    attention averaged over its heads; rows are normalised at the end.
    """

    scale: float = 1.5
    kernel: str = "dot"  # or "kl"
    walk: bool = False  # divide each class's part by how many patches it has: a walk from patch to class to patch
    size: float | None = None  # keep as many patches as the own class has, counted with P of this scale
    trust: float | None = (
        None  # blend with A by how much a patch agrees, by P of this scale, with those it is read with
    )

    def reread(
        self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """See `Feedback.reread`; one window at a time."""
        e = first[0] @ text.T - ISOLATION * (uniform[0] @ text.T)
        e = e - e.mean(dim=1, keepdim=True)
        e = e / e.square().mean().sqrt()
        weights = self.correspondence(e, mean_of_heads(last))
        fed_back, fed_back_attended = (weights @ values for values in (last.patch_values[0], last.attended[0]))
        attended = (
            fed_back_attended[None] + last.spread(fed_back[None]) + scale_rows(fed_back[None], last.row_sum)
        ) / 3
        if self.trust is not None:
            directions = torch.nn.functional.normalize((self.trust * e).softmax(dim=-1), dim=-1)
            trust = (weights * (directions @ directions.T)).sum(dim=-1, keepdim=True)
            attended = trust * attended + (1 - trust) * last.attended
        return read(attended)

    def correspondence(self, e: Tensor, attention: Tensor | None) -> Tensor:
        """F, (N, N), from e / σ, (N, C), and Ā, (N, N) or None."""
        predictions = (self.scale * e).softmax(dim=-1)
        if self.kernel == "kl":
            kernel = similarities(divergences(predictions.log()[None]))[0]
        else:
            kernel = (predictions / predictions.sum(dim=0) if self.walk else predictions) @ predictions.T
        weights = kernel if attention is None else kernel * attention.sqrt()
        if self.size is not None:
            counted = (self.size * e).softmax(dim=-1)
            count = (counted @ counted.sum(dim=0)).round().long().clamp(1, len(e))
            ranked = kernel if self.kernel == "kl" else weights
            threshold = sorted_values(ranked).gather(1, (count - 1)[:, None])
            weights = weights * (ranked >= threshold)
        if self.kernel == "kl":
            weights = weights * (3 * kernel).exp()
        return weights / weights.sum(dim=-1, keepdim=True)


def mean_of_heads(last: LastAttention) -> Tensor | None:
    """Ā among the patches, (N, N), rows summing to one; None for the identity."""
    if last.weights is None:
        return None
    attention = last.weights[0] if last.weights.dim() == 3 else last.weights[0].mean(dim=0)
    attention = attention[:, last.prefix :]
    return attention / attention.sum(dim=-1, keepdim=True)


IDEAS: dict[str, Any] = {
    "none": None,
    "paper": FeedbackAttention(),
    "calm": FeedbackAttention(7.0, 12.25, 0.34, 3.5),
    "calm, p 0.05": FeedbackAttention(7.0, 12.25, 0.05),
    "host twice": HostTwice(),
    "A": Idea(),
    "A, walk": Idea(walk=True),
    "A, walk, scale 3": Idea(scale=3.0, walk=True),
    "A, size": Idea(size=3.0),
    "A, trust": Idea(trust=1.5),
    "A, trust 3": Idea(trust=3.0),
    "A, size, trust": Idea(size=3.0, trust=3.0),
    "KL, size": Idea(kernel="kl", size=3.0),
}
Examples = list[tuple[Picture, np.ndarray]]


def scenes(count: int) -> Examples:
    """Drawn scenes and their classes: patterns, then backgrounds."""
    names = [*PATTERNS, *BACKGROUNDS]
    found = []
    for index in range(count):
        scene = draw_scene(np.random.default_rng((SPLIT, index)), SIZE, (2, 4), HELD_OUT)
        classes = [names.index(name) for name in (scene.background, *(thing.pattern for thing in scene.things))]
        found.append((read_picture(scene.picture), np.array(classes)[scene.labels]))
    return found


def photographs(root: Path, count: int) -> Examples:
    """Photographs and their classes, every STEP-th pixel; background and void are ignored."""
    samples = find_samples(load_benchmark("voc20"), root / "VOC2012", count)
    return [(picture, truth[::STEP, ::STEP]) for picture, truth in (sample.read() for sample in samples)]


def measure(segmenter: Segmenter, words: Vocabulary, examples: Examples) -> dict[str, PictureAreas]:
    """What mIoU is made of, for every idea."""
    classes = len(words.names)
    found: dict[str, list[np.ndarray]] = {name: [] for name in IDEAS}
    for picture, truth in examples:
        opened = segmenter.open(picture)
        for name, idea in IDEAS.items():
            segmenter.feedback = idea
            size = (truth.shape[0], truth.shape[1])
            labels = label_pixels(opened.logits(words), size, words.query_to_class, classes, 40.0)[0]
            found[name].append(confusion_matrix(truth, labels, classes, -1))
    return {name: PictureAreas.of(np.stack(confusions)) for name, confusions in found.items()}


def cells(found: Mapping[str, PictureAreas]) -> Iterator[str]:
    """mIoU without feedback, then the gains."""
    yield f"{100 * iou_interval(found['none']).value:.1f}"
    for name, of_idea in found.items():
        if name != "none":
            gain = gain_interval(of_idea, found["none"])
            yield f"{100 * gain.value:+.1f} ± {50 * (gain.high - gain.low):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    parser.add_argument("--hosts", nargs="+", default=["clip", "maskclip", "sclip", "clearclip", "naclip", "proxyclip"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns: dict[str, list[str]] = {}
    data = {"scenes": ("mini", Vocabulary([*PATTERNS, *BACKGROUNDS]), scenes(options.scenes))}
    if (options.root / "feedseg.json").is_file():
        data["photographs"] = (str(options.root), Vocabulary(VOC), photographs(options.root, options.photographs))
    for host in options.hosts:
        for kind, (model, words, examples) in data.items():
            segmenter = Segmenter.load(model, host=host, device="cpu")
            columns[f"{host}, {kind}"] = list(cells(measure(segmenter, words, examples)))
    table = Table("idea", *columns)
    for name, *row in zip(IDEAS, *columns.values(), strict=True):
        table.add_row(name, *row)
    Console(width=30 + 16 * len(columns)).print(table)


if __name__ == "__main__":
    main()
