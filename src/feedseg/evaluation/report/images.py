"""The images of a report: those that gain and lose most, the best and the worst, drawn anew."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from feedseg.engine.outcomes import explain
from feedseg.evaluation.datasets.masks import IGNORED
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.experiment import CONTROL, NONE, Bench, variant_title, with_feedback
from feedseg.evaluation.metrics.results import Result
from feedseg.io import overlay as drawing

EACH = 3  # images of every order
WIDTH, QUALITY = 480, 76  # of a drawn image in pixels; of the JPEG


@dataclass(frozen=True)
class Choice:
    """An image that is shown, and why; the mean IoU of its target's classes without feedback and as shown."""

    name: str
    heading: str
    without: float | None
    chosen: float


@dataclass(frozen=True)
class Drawn:
    """An image's overlays, a title and a data URI each; or why there are none."""

    choice: Choice
    panels: Sequence[tuple[str, str]]
    failure: str | None = None


def shown_variant(variants: Iterable[str]) -> str:
    """The one that images and mistakes are chosen by: the first with feedback, or else the first of all."""
    names = list(variants)
    return next(iter(with_feedback(names)), names[0])


def chosen_images(result: Result) -> list[Choice]:
    """The largest gains and losses where both were measured, then the best and the worst; each image once."""
    last = shown_variant(result.variants)
    chosen = result.variants[last].by_image
    without = result.variants[NONE].by_image if NONE in result.variants and last != NONE else None
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


def draw_images(bench: Bench, samples: Sequence[Sample], choices: Sequence[Choice]) -> list[Drawn]:
    """Read and label the images once more, and draw target and variants over them.

    One that can no longer be read is never the end of the report.
    """
    by_name = {sample.name: sample for sample in samples}
    drawn = []
    for choice in choices:
        try:
            drawn.append(Drawn(choice, _panels(bench, by_name[choice.name])))
        except Exception as error:  # decoders are many, and so is what they raise
            drawn.append(Drawn(choice, (), explain(error)))
    return drawn


def _panels(bench: Bench, sample: Sample) -> list[tuple[str, str]]:
    names, background = bench.experiment.vocabulary.names, bench.experiment.vocabulary.has_background
    image, target = sample.read()
    encoded = bench.encode(image)
    panels = [("target", _encoded(target_overlay(image.pixels, target, names, background)))]
    for variant in bench.experiment.variants:
        if variant != CONTROL:
            overlay = drawing.overlay(image.pixels, bench.label(encoded, variant), names, background)
            panels.append((variant_title(variant), _encoded(overlay)))
    return panels


def target_overlay(pixels: np.ndarray, target: np.ndarray, names: Sequence[str], background: bool) -> Image.Image:
    """The target in the same colours as labels; what does not count is white, as if cut out."""
    ignored = target == IGNORED
    shown = np.where(ignored[..., None], np.uint8(255), pixels)
    if background:
        return drawing.overlay(shown, np.where(ignored, 0, target), names, background=True)
    if not ignored.any():
        return drawing.overlay(shown, target, names)
    return drawing.overlay(shown, target + 1, ("(does not count)", *names), background=True)


def _encoded(image: Image.Image) -> str:
    """A JPEG as a data URI."""
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
