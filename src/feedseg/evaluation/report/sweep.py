"""The report of a sweep: one table and one plot of all settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from feedseg.evaluation.experiment import CONTROL, NONE, described, variant_title
from feedseg.evaluation.metrics.bootstrap import few_note
from feedseg.evaluation.report.benchmark import BenchmarkReport, hardware, shown
from feedseg.evaluation.report.plot import BLUE, GREY, ORANGE, Mark, interval_plot
from feedseg.evaluation.report.tables import NOTHING, Table, percent, points
from feedseg.evaluation.report.write import finite, write_text
from feedseg.evaluation.sweep import FIELDS, USUAL, shown_value

_WARNING = (
    "The best of several settings owes part of its lead to chance: judge it on images that it was not chosen on, and "
    "against the control, which applies the host's attention twice and knows nothing of the words."
)
_INTERVALS = (
    "Gains are over the host without feedback, in points of mIoU, with paired bootstrap 95 % intervals over images."
)


def sweep_table(report: BenchmarkReport) -> Table:
    """Every setting with its mIoU and its gain."""
    rows = []
    for name, one in report.result.variants.items():
        gain = report.gain(name)
        rows.append((_title(name, report), percent(one.miou.value), NOTHING if gain is None else points(gain)))
    notes = [note for note in (few_note(len(report.result.names)), _INTERVALS, _WARNING) if note]
    return Table("Settings of the feedback", ("setting", "mIoU", "gain, 95 % interval"), rows, " ".join(notes))


def _title(name: str, report: BenchmarkReport) -> str:
    """A setting's name; that of the usual one says what it is."""
    if name == USUAL:
        return f"{name} ({_constants(report)})"
    return variant_title(name) if name in (NONE, CONTROL) else name


def _constants(report: BenchmarkReport) -> str:
    """The usual setting's numbers."""
    usual = report.bench.experiment.variants[USUAL]
    symbols = {field: symbol for symbol, field in FIELDS.items()}
    values = {symbols.get(one.name, one.name): getattr(usual, one.name) for one in fields(usual)}
    return ", ".join(f"{name} {shown_value(value)}" for name, value in values.items() if isinstance(value, float))


def sweep_plot(report: BenchmarkReport) -> str:
    """The gains with their intervals, as an SVG; the usual setting grey, the control orange."""
    colours = {USUAL: GREY, CONTROL: ORANGE}
    names = [name for name in report.result.variants if name != NONE]
    marks = [Mark(name, report.gain(name), colours.get(name, BLUE)) for name in names]
    return interval_plot(f"{report.name}: gain of feedback", "points of mIoU over no feedback, 95 % intervals", marks)


def write_sweep(report: BenchmarkReport, folder: Path) -> dict[str, Path]:
    """Write sweep.json, sweep.md and sweep.svg; returns where they are."""
    machine = hardware(report.bench)
    paths = {form: folder / f"sweep.{end}" for form, end in (("json", "json"), ("markdown", "md"), ("plot", "svg"))}
    settings = {key: value for key, value in report.settings().items() if not key.startswith("variants.")}
    facts = [(key.replace(".", ": ").replace("_", " "), shown(value)) for key, value in (settings | machine).items()]
    texts = {
        "json": json.dumps(finite(_as_dict(report, machine)), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "markdown": "\n".join(
            (
                f"# Sweep on {report.bench.experiment.benchmark.title}\n",
                f"{len(report.result.names)} of {report.result.wanted} images of {report.name}.\n",
                "![gains](sweep.svg)\n",
                sweep_table(report).markdown(2),
                Table("Everything else", ("what", "value"), facts).markdown(2),
            )
        ),
        "plot": sweep_plot(report) + "\n",
    }
    for form, text in texts.items():
        write_text(paths[form], text)
    return paths


def _as_dict(report: BenchmarkReport, machine: Mapping[str, Any]) -> dict[str, Any]:
    result, experiment = report.result, report.bench.experiment
    return {
        "benchmark": report.name,
        "images": {"asked": result.wanted, "measured": len(result.names), "failed": len(result.failed)},
        "settings": {
            name: {
                "feedback": described(feedback),
                "miou": asdict(result.variants[name].miou),
                "gain": None if (gain := report.gain(name)) is None else asdict(gain),
                "seconds": result.seconds[name],
            }
            for name, feedback in experiment.variants.items()
        },
        "made_with": report.bench.fingerprint(),
        "machine": machine,
        "explained": f"fractions are 0 to 1. {_INTERVALS} {_WARNING}",
    }
