"""`feedseg sweep` on the terminal: progress, the table of the settings, and where the files are."""

from __future__ import annotations

from collections.abc import Sequence

from feedseg.apps.cli.console import console, facts, plain_table, show
from feedseg.apps.cli.render_evaluate import caution, measured, prepared, state_of, written
from feedseg.engine.run import SOME_FAILED, SUCCESS
from feedseg.evaluation.report.benchmark import BenchmarkReport
from feedseg.evaluation.report.sweep import sweep_table, write_sweep
from feedseg.evaluation.request import BenchmarkRun, Request
from feedseg.evaluation.run import collect
from feedseg.io.reading import isolated_reader


def sweep(request: Request, shards: int) -> int:
    """Measure, show, write, and return the exit code."""
    with isolated_reader(request.limits) as reader:
        return _sweep(prepared(request, reader), request, shards)


def _sweep(runs: Sequence[BenchmarkRun], request: Request, shards: int) -> int:
    (one,) = runs
    if stopped := measured(request, runs, shards, None):
        return stopped
    result = collect(one)
    rows = [(one.benchmark.name, state_of(result)), *(("note", note) for note in one.notes)]
    screen = console()
    paths = None
    if result.names:
        report = BenchmarkReport(one.bench, one.samples, result)
        paths = written(lambda: write_sweep(report, request.out))
        content = sweep_table(report)
        table = plain_table(*content.headings)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in content.rows:
            table.add_row(*row)
        show(screen, table)
        rows += caution([result])
        if paths is not None:
            rows += [("table", str(paths["markdown"])), ("plot", str(paths["plot"])), ("data", str(paths["json"]))]
    show(screen, facts(rows))
    return SOME_FAILED if result.missing or result.failed or paths is None else SUCCESS
