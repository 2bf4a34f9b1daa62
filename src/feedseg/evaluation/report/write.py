"""The report of an evaluation: what was measured, in JSON, Markdown, and one HTML file with images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.evaluation.report.benchmark import BenchmarkReport, hardware, shown
from feedseg.evaluation.report.html import html_page
from feedseg.evaluation.report.images import draw_images
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
    content = {
        "benchmarks": [report.to_dict() for report in reports],
        "machine": machine,
        "explained": "fractions are 0 to 1; low and high bound paired bootstrap 95 % intervals over images",
    }
    table = Table("Machine and versions", ("what", "value"), [(key, shown(value)) for key, value in machine.items()])
    write_text(
        folder / "report.json", json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    write_text(folder / "report.md", _markdown(reports, table))
    drawn = [draw_images(report.bench, report.samples, report.images) for report in reports]
    html = folder / "report.html"
    write_text(html, html_page(reports, drawn, table))
    undrawn = (
        f"{report.name}: {one.choice.name} could not be drawn: {one.failure}"
        for report, images in zip(reports, drawn, strict=True)
        for one in images
        if one.failure is not None
    )
    return Written(html, tuple(undrawn))


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all; what UTF-8 cannot hold is escaped."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _markdown(reports: Sequence[BenchmarkReport], machine: Table) -> str:
    parts = ["# Evaluation\n"]
    for report in reports:
        experiment = report.bench.experiment
        parts.append(f"## {experiment.benchmark.title}\n")
        parts.append(f"Source: {experiment.benchmark.source}\n")
        parts += [table.markdown() for table in report.tables()]
        if report.images:
            rows = [
                (choice.heading, choice.name, percent(choice.without), percent(choice.chosen))
                for choice in report.images
            ]
            parts.append(Table("Images", ("", "image", "without", "shown"), rows).markdown())
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
