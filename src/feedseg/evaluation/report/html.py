"""The report as one HTML file: everything is inside it, so it can be opened offline, sent and printed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from feedseg.evaluation.report.content import Chapter
from feedseg.evaluation.report.pictures import Drawn
from feedseg.evaluation.report.plot import BLUE, GREEN, ORANGE, Mark, interval_plot
from feedseg.evaluation.report.tables import Table, percent
from feedseg.evaluation.run import CALIBRATED, CONTROL, WITH

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #20242c; background: #fff; max-width: 70rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; } h2 { margin-top: 3rem; border-bottom: 2px solid #20242c; } h3 { margin: 2rem 0 .5rem; }
.wide { overflow-x: auto; } svg { min-width: 34rem; max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #d5d9df; }
th { border-bottom: 2px solid #6b7078; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); gap: .75rem; }
figure { margin: 0; break-inside: avoid; } figure img { width: 100%; height: auto; display: block; }
figcaption, .source { font-size: .85rem; color: #4a4f58; }
h4 { margin: 1.2rem 0 .3rem; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } .wide { overflow: visible; }
  .row { grid-template-columns: repeat(3, 1fr); } h2 { break-before: page; } h2:first-of-type { break-before: auto; }
  tr, .picture { break-inside: avoid; } }
"""


def html_page(chapters: Sequence[Chapter], drawn: Sequence[Sequence[Drawn]], machine: Table) -> str:
    """The whole page, with every chapter's pictures as they were drawn."""
    marks = [
        Mark(f"{chapter.name}, {what}", gain, colour)
        for chapter in chapters
        for what, colour in ((WITH, BLUE), (CALIBRATED, GREEN), (CONTROL, ORANGE))
        if (gain := chapter.gain(what)) is not None
    ]
    parts = ["<h1>Evaluation</h1>"]
    if marks:
        plot = interval_plot("Gain over the host without feedback", "points of mIoU, 95 % intervals", marks)
        parts.append(f'<div class="wide">{plot}</div>')
    for chapter, pictures in zip(chapters, drawn, strict=True):
        benchmark = chapter.bench.experiment.benchmark
        first, *others = chapter.tables()
        parts.append(f'<h2>{escape(benchmark.title)}</h2>\n<p class="source">{escape(benchmark.source)}</p>')
        parts.append(first.html())
        parts.append(_pictures(pictures))
        parts += [table.html() for table in others]
    parts.append(machine.html(level=2))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Evaluation</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _pictures(drawn: Sequence[Drawn]) -> str:
    parts = []
    for heading, group in groupby(drawn, key=lambda one: one.choice.heading):
        parts.append(f"<h3>{escape(heading)}</h3>")
        for one in group:
            choice = one.choice
            figures = "".join(
                f'<figure><img src="{source}" alt="{escape(f"{choice.name}, {title}")}">'
                f"<figcaption>{escape(title)}</figcaption></figure>"
                for title, source in one.panels
            )
            if one.failure is not None:
                figures = f"<p>could not be drawn: {escape(one.failure)}</p>"
            before = "" if choice.without is None else f"{percent(choice.without)} → "
            head = f"{escape(choice.name)}: mean IoU of its classes {before}{percent(choice.chosen)}"
            parts.append(f'<div class="picture"><h4>{head}</h4>\n<div class="row">{figures}</div></div>')
    return "\n".join(parts)
