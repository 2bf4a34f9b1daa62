"""The images of a report: for every variant those that gain and lose most by it, its best and its worst.

Their labels were kept while they were measured, so that no model is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feedseg.engine.outcomes import explain
from feedseg.evaluation.datasets.masks import IGNORED
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.experiment import NONE, Bench, variant_title, with_feedback
from feedseg.evaluation.metrics.results import Result
from feedseg.evaluation.report.panels import class_map, hexadecimal, photograph
from feedseg.evaluation.small_maps import decode_map, shrunk
from feedseg.labelmap import LabelMap

EACH = 3  # images of every order


@dataclass(frozen=True)
class Choice:
    """An image that is shown, and why; the mean IoU of its target's classes without feedback and as shown."""

    name: str
    heading: str
    without: float | None
    chosen: float


@dataclass(frozen=True)
class Panel:
    """An image as a data URI, what it shows, and the mean IoU that it comes to."""

    title: str
    source: str
    iou: float | None = None
    drawn: bool = True  # a map of classes, and no photograph


@dataclass(frozen=True)
class Drawn:
    """The panels of an image, its classes with their colours; or why there are none."""

    panels: Sequence[Panel] = ()
    legend: Sequence[tuple[str, str]] = ()  # name, colour as CSS has it
    ignored: bool = False  # whether there are pixels that do not count
    failure: str | None = None


@dataclass(frozen=True)
class Gallery:
    """What is shown of a benchmark: what was chosen by every variant, and every image once."""

    choices: Mapping[str, Sequence[Choice]]
    drawn: Mapping[str, Drawn]  # by the image's name


def shown_variant(variants: Sequence[str] | Mapping[str, object]) -> str:
    """The one that a report begins with: the first with feedback, or else the first of all."""
    names = list(variants)
    return next(iter(with_feedback(names)), names[0])


def chosen_images(result: Result) -> dict[str, list[Choice]]:
    """For every variant beside the baseline, or for that alone, the images to show; that to begin with first."""
    first = shown_variant(result.variants)
    names = [first, *(name for name in result.variants if name not in (NONE, first))]
    return {name: _chosen_by(result, name) for name in names}


def _chosen_by(result: Result, variant: str) -> list[Choice]:
    """The largest gains and losses where both were measured, then the best and the worst; each image once."""
    chosen = result.variants[variant].by_image
    without = result.variants[NONE].by_image if NONE in result.variants and variant != NONE else None
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
        unseen = [index for index in order.tolist() if result.names[index] not in choices][:EACH]
        for index in unseen:
            before = None if without is None else float(without[index])
            name = result.names[index]
            choices[name] = Choice(name, heading, before, float(chosen[index]))
    return list(choices.values())


def draw_gallery(bench: Bench, samples: Sequence[Sample], result: Result) -> Gallery:
    """Read photograph and target of every image that is shown, and draw them and the labels that were kept.

    One that can no longer be read is never the end of the report.
    """
    choices = chosen_images(result)
    by_name = {sample.name: sample for sample in samples}
    drawn = {}
    for name in dict.fromkeys(choice.name for chosen in choices.values() for choice in chosen):
        try:
            drawn[name] = _drawn(bench, by_name[name], result)
        except Exception as error:  # decoders are many, and so is what they raise
            drawn[name] = Drawn(failure=explain(error))
    return Gallery(choices, drawn)


def _drawn(bench: Bench, sample: Sample, result: Result) -> Drawn:
    image, target = sample.read()
    vocabulary, row = bench.experiment.vocabulary, result.names.index(sample.name)
    target = shrunk(target)
    ignored = target == IGNORED
    maps = {"ground truth": np.where(ignored, 0, target)}
    scores: dict[str, float] = {}
    for variant, text in result.labels[sample.name].items():
        title = variant_title(variant)
        maps[title] = decode_map(text)
        scores[title] = float(result.variants[variant].by_image[row])
    counted = {
        title: LabelMap(labels=labels, names=vocabulary.names, background=vocabulary.has_background)
        for title, labels in maps.items()
    }
    colours = counted["ground truth"].palette
    panels = [Panel("photograph", photograph(image.pixels, target.shape), drawn=False)]
    panels += [
        Panel(title, class_map(one.labels, colours, ignored), scores.get(title)) for title, one in counted.items()
    ]
    areas = sum(np.bincount(one.labels[~ignored], minlength=len(colours)) for one in counted.values())
    order = [int(index) for index in np.argsort(-np.asarray(areas), kind="stable") if np.asarray(areas)[index]]
    legend = [(vocabulary.names[index], hexadecimal(colours[index])) for index in order]
    return Drawn(panels, legend, bool(ignored.any()))
