"""The report of an evaluation: what was measured, in JSON, Markdown, and one HTML file with images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.evaluation.experiment import variant_title
from feedseg.evaluation.report.benchmark import BenchmarkReport, hardware, shown
from feedseg.evaluation.report.html import html_page
from feedseg.evaluation.report.images import draw_gallery
from feedseg.evaluation.report.summary import average_of, average_table, findings, head
from feedseg.evaluation.report.tables import Table, percent
from feedseg.files import write_atomically


@dataclass(frozen=True)
class Written:
    """Where a report is, and what is not in it."""

    html: Path
    undrawn: tuple[str, ...]  # of every image that could not be drawn: its benchmark, its name, and why


def write_report(reports: Sequence[BenchmarkReport], folder: Path) -> Written:
    """Write report.json and report.md, then read and draw the images, and write report.html."""
    machine = hardware(reports[0].bench)
    mean = average_of(reports)
    content = {
        "average": None if mean is None else asdict(mean),
        "benchmarks": [report.to_dict() for report in reports],
        "machine": machine,
        "explained": "fractions are 0 to 1; low and high bound paired bootstrap 95 % intervals over images",
    }
    table = Table("Machine and versions", ("what", "value"), [(key, shown(value)) for key, value in machine.items()])
    write_text(
        folder / "report.json", json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    write_text(folder / "report.md", _markdown(reports, table))
    galleries = [draw_gallery(report.bench, report.samples, report.result, report.reader) for report in reports]
    html = folder / "report.html"
    write_text(html, html_page(reports, galleries, table))
    undrawn = (
        f"{report.name}: {name} could not be drawn: {one.failure}"
        for report, gallery in zip(reports, galleries, strict=True)
        for name, one in gallery.drawn.items()
        if one.failure is not None
    )
    return Written(html, tuple(undrawn))


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all; what UTF-8 cannot hold is escaped."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _markdown(reports: Sequence[BenchmarkReport], machine: Table) -> str:
    facts = Table("What was measured", ("what", "value"), head(reports))
    parts = ["# Evaluation\n", facts.markdown(2)]
    if found := findings(reports):
        rows = [(one.benchmark, one.variant, one.gain, one.text) for one in found]
        parts.append(Table("Findings", ("benchmark", "feedback", "gain", "verdict"), rows).markdown(2))
    if (mean := average_table(reports)) is not None:
        parts.append(mean.markdown(2))
    for report in reports:
        benchmark = report.bench.experiment.benchmark
        parts += [f"## {benchmark.title}\n", f"Source: {benchmark.source}\n"]
        parts += [table.markdown() for table in report.tables()]
        rows = [
            (variant_title(variant), choice.heading, choice.name, percent(choice.without), percent(choice.chosen))
            for variant, choices in report.result.choices.items()
            for choice in choices
        ]
        if rows:
            parts.append(Table("Images", ("chosen by", "", "image", "without", "shown"), rows).markdown())
        parts.append(report.details().markdown())
    return "\n".join([*parts, machine.markdown(level=2)])


def finite(value: Any) -> Any:
    """The same with None instead of what is no number, which JSON cannot have."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    if isinstance(value, np.generic):
        return finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
