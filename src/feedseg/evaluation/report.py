"""The report of an evaluation: what was measured, in JSON, Markdown, and one HTML file with pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feedseg.evaluation.report_content import Chapter, hardware, shown
from feedseg.evaluation.report_html import html_page
from feedseg.evaluation.tables import Table, percent
from feedseg.files import write_atomically


def write_report(chapters: Sequence[Chapter], folder: Path) -> dict[str, Path]:
    """Write report.json, report.md and report.html; returns where they are."""
    machine = hardware(chapters[0].bench)
    paths = {kind: folder / f"report.{end}" for kind, end in (("json", "json"), ("markdown", "md"), ("html", "html"))}
    content = {
        "benchmarks": [chapter.to_dict() for chapter in chapters],
        "machine": machine,
        "explained": "shares are 0 to 1; low and high bound paired bootstrap 95 % intervals over pictures",
    }
    table = Table("Machine and versions", ("what", "value"), [(key, shown(value)) for key, value in machine.items()])
    texts = {
        "json": json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "markdown": _markdown(chapters, table),
        "html": html_page(chapters, table),
    }
    for kind, text in texts.items():
        with write_atomically(paths[kind]) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return paths


def _markdown(chapters: Sequence[Chapter], machine: Table) -> str:
    parts = ["# Evaluation\n"]
    for chapter in chapters:
        experiment = chapter.bench.experiment
        parts.append(f"## {experiment.benchmark.title}\n")
        parts.append(f"Source: {experiment.benchmark.source}\n")
        parts += [table.markdown() for table in chapter.tables()]
        if chapter.pictures:
            rows = [
                (choice.heading, choice.name, percent(choice.without), percent(choice.chosen))
                for choice in chapter.pictures
            ]
            parts.append(Table("Pictures", ("", "picture", "without", "shown"), rows).markdown())
    return "\n".join([*parts, machine.markdown(level=2)])


def finite(value: Any) -> Any:
    """The same with None in the place of what is no number, which JSON cannot have."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    if isinstance(value, np.generic):
        return finite(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
