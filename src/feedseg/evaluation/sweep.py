"""Which constants of the feedback suit a model: many settings asked of every picture, opened once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from feedseg.errors import FeedsegError
from feedseg.evaluation.metrics.bootstrap import few_note
from feedseg.evaluation.report.content import Chapter, hardware, shown
from feedseg.evaluation.report.plot import BLUE, GREY, ORANGE, Mark, interval_plot
from feedseg.evaluation.report.tables import NOTHING, Table, percent, points
from feedseg.evaluation.report.write import finite, write_text
from feedseg.evaluation.run import CONTROL, TITLES, WITHOUT
from feedseg.vision.feedback.base import FeedbackAttention

# What the command line calls the constants, after the paper's symbols, and the fields that they are.
FIELDS = {
    "lambda": "sharpness",
    "p": "keep",
    "scale": "scale",
    "isolation": "isolation",
    "terms": "terms",
    "passes": "passes",
}
USUAL = "default"  # the name of the setting that all others vary
_WARNING = (
    "The best of several settings owes part of its lead to chance: judge it on pictures that it was not chosen on, and "
    "against the control, which applies the host's attention twice and knows nothing of the words."
)
_INTERVALS = (
    "Gains are over the host without feedback, in points of mIoU, with paired bootstrap 95 % intervals over pictures."
)


@dataclass(frozen=True)
class Sweep:
    """Values of the constants, by the names of `FIELDS`: each varied alone, or, as a grid, all with all."""

    values: Mapping[str, Sequence[Any]]
    grid: bool = False

    def settings(self, usual: FeedbackAttention) -> dict[str, FeedbackAttention]:
        """By name every setting that is compared, the usual one first; none twice.

        Raises:
            FeedsegError: a value that the feedback cannot have.
        """
        names = list(self.values)
        if self.grid:
            combinations = [dict(zip(names, row, strict=True)) for row in product(*self.values.values())]
        else:
            combinations = [{name: value} for name in names for value in self.values[name]]
        found = {usual: USUAL}
        for changes in combinations:
            name = ", ".join(f"{key} {_value(value)}" for key, value in changes.items())
            try:
                setting = replace(usual, **{FIELDS[key]: value for key, value in changes.items()})
            except ValueError as error:
                raise FeedsegError(f"--{name.replace(', ', ' --')}: {error}") from error
            found.setdefault(setting, name)
        return {name: setting for setting, name in found.items()}


def _value(value: object) -> str:
    """As short as it can be told from every other value."""
    if isinstance(value, tuple):
        return "+".join(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def sweep_table(chapter: Chapter) -> Table:
    """Every setting with its mIoU and its gain."""
    rows = []
    for name, one in chapter.result.variants.items():
        gain = chapter.gain(name)
        rows.append((_title(name, chapter), percent(one.miou.value), NOTHING if gain is None else points(gain)))
    notes = [note for note in (few_note(len(chapter.result.names)), _INTERVALS, _WARNING) if note]
    return Table("Settings of the feedback", ("setting", "mIoU", "gain, 95 % interval"), rows, " ".join(notes))


def _title(name: str, chapter: Chapter) -> str:
    """A setting's name; that of the usual one says what it is."""
    return f"{name} ({_constants(chapter)})" if name == USUAL else TITLES.get(name, name)


def _constants(chapter: Chapter) -> str:
    usual = chapter.bench.experiment.variants[USUAL]
    values = {name: getattr(usual, field) for name, field in FIELDS.items() if name not in ("terms", "passes")}
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def sweep_plot(chapter: Chapter) -> str:
    """The gains with their intervals, as an SVG; the usual setting grey, the control orange."""
    colours = {USUAL: GREY, CONTROL: ORANGE}
    names = [name for name in chapter.result.variants if name != WITHOUT]
    marks = [Mark(name, chapter.gain(name), colours.get(name, BLUE)) for name in names]
    return interval_plot(f"{chapter.name}: gain of feedback", "points of mIoU over no feedback, 95 % intervals", marks)


def write_sweep(chapter: Chapter, folder: Path) -> dict[str, Path]:
    """Write sweep.json, sweep.md and sweep.svg; returns where they are."""
    machine = hardware(chapter.bench)
    paths = {kind: folder / f"sweep.{end}" for kind, end in (("json", "json"), ("markdown", "md"), ("plot", "svg"))}
    settings = {key: value for key, value in chapter.settings().items() if not key.startswith("variants.")}
    facts = [(key.replace(".", ": ").replace("_", " "), shown(value)) for key, value in (settings | machine).items()]
    pictures = f"{len(chapter.result.names)} of {chapter.result.wanted} pictures of {chapter.name}."
    texts = {
        "json": json.dumps(finite(_as_dict(chapter, machine)), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "markdown": "\n".join(
            (
                f"# Sweep on {chapter.bench.experiment.benchmark.title}\n",
                f"{pictures}\n",
                "![gains](sweep.svg)\n",
                sweep_table(chapter).markdown(2),
                Table("Everything else", ("what", "value"), facts).markdown(2),
            )
        ),
        "plot": sweep_plot(chapter) + "\n",
    }
    for kind, text in texts.items():
        write_text(paths[kind], text)
    return paths


def _as_dict(chapter: Chapter, machine: Mapping[str, Any]) -> dict[str, Any]:
    result, experiment = chapter.result, chapter.bench.experiment
    return {
        "benchmark": chapter.name,
        "pictures": {"asked": result.wanted, "measured": len(result.names), "failed": len(result.failed)},
        "settings": {
            name: {
                "feedback": asdict(feedback) if isinstance(feedback, FeedbackAttention) else None,
                "miou": asdict(result.variants[name].miou),
                "gain": None if (gain := chapter.gain(name)) is None else asdict(gain),
                "seconds": result.seconds[name],
            }
            for name, feedback in experiment.variants.items()
        },
        "made_with": chapter.bench.fingerprint(),
        "machine": machine,
        "explained": f"shares are 0 to 1. {_INTERVALS} {_WARNING}",
    }
