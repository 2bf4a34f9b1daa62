"""The report as one HTML file: everything is inside it, so it can be opened offline, sent and printed."""

from __future__ import annotations

from collections.abc import Sequence

from feedseg.evaluation.experiment import CALIBRATED, CONTROL, PAPER, variant_title
from feedseg.evaluation.report.benchmark import BenchmarkReport
from feedseg.evaluation.report.images import Gallery
from feedseg.evaluation.report.plot import BLUE, GREEN, ORANGE, Mark, interval_plot
from feedseg.evaluation.report.summary import average_table, findings, head
from feedseg.evaluation.report.tables import Table
from feedseg.evaluation.report.templates import render

COLOURS = {PAPER: BLUE, CALIBRATED: GREEN, CONTROL: ORANGE}


def html_page(reports: Sequence[BenchmarkReport], galleries: Sequence[Gallery], machine: Table) -> str:
    """The whole page, with every benchmark's images as they were drawn."""
    marks = [
        Mark(f"{report.name}, {variant}", gain, COLOURS.get(variant, BLUE))
        for report in reports
        for variant in report.result.variants
        if (gain := report.gain(variant)) is not None
    ]
    plot = interval_plot("Gain over the host without feedback", "points of mIoU, 95 % intervals", marks)
    sections = [
        {
            "name": report.name,
            "benchmark": report.bench.experiment.benchmark,
            "tables": report.tables(),
            "gallery": gallery,
            "titles": {name: variant_title(name) for name in gallery.choices},
            "details": report.details(),
        }
        for report, gallery in zip(reports, galleries, strict=True)
    ]
    facts = head(reports)
    return render(
        "report.html",
        title=f"{facts[0][1].partition(' (')[0]} with {facts[1][1].partition(' (')[0]}",
        head=facts,
        findings=findings(reports),
        plot=plot if marks else None,
        average=average_table(reports),
        sections=sections,
        machine=machine,
    )


def html_table(table: Table, level: int = 3) -> str:
    """A table with its title as a heading of that level, in a frame that scrolls where the page is too narrow."""
    return render("table.html", table=table, level=level)
