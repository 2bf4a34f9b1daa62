"""The images of a report, drawn from the labels that were kept while they were measured: no model is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feedseg.engine.outcomes import explain
from feedseg.evaluation.datasets.masks import IGNORED
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.experiment import Bench, variant_title
from feedseg.evaluation.metrics.ranking import Choice
from feedseg.evaluation.metrics.results import Result
from feedseg.evaluation.report.panels import class_map, hexadecimal, photograph
from feedseg.evaluation.small_maps import decode_map, shrunk
from feedseg.io.reading import HERE, FileReader
from feedseg.labelmap import LabelMap


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


def draw_gallery(bench: Bench, samples: Sequence[Sample], result: Result, reader: FileReader = HERE) -> Gallery:
    """Read photograph and target of every image that is shown, and draw them and the labels that were kept.

    One that can no longer be read is never the end of the report.
    """
    by_name = {sample.name: sample for sample in samples}
    drawn = {}
    for name in dict.fromkeys(choice.name for chosen in result.choices.values() for choice in chosen):
        try:
            drawn[name] = _drawn(bench, by_name[name], result, reader)
        except Exception as error:  # decoders are many, and so is what they raise
            drawn[name] = Drawn(failure=explain(error))
    return Gallery(result.choices, drawn)


def _drawn(bench: Bench, sample: Sample, result: Result, reader: FileReader) -> Drawn:
    image, target = sample.read(reader)
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
