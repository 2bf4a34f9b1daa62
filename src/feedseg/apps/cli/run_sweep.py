"""`feedseg sweep`: many settings of the feedback on one benchmark, with one table and one plot."""

from __future__ import annotations

from feedseg.apps.cli.console import console, facts, plain_table, show
from feedseg.apps.cli.experiments import Request, prepare
from feedseg.apps.cli.run_evaluate import SOME_FAILED, SUCCESS, caution, collect, measure, state_of, written
from feedseg.evaluation.report.content import Chapter
from feedseg.evaluation.sweep import sweep_table, write_sweep


def sweep(request: Request, shards: int) -> int:
    """Measure, show, write, and return the exit code."""
    tasks = prepare(request)
    (task,) = tasks
    if stopped := measure(request, tasks, shards, None):
        return stopped
    result = collect(task)
    rows = [(task.benchmark.name, state_of(result))]
    screen = console()
    paths = None
    if result.names:
        chapter = Chapter(task.bench, task.samples, result)
        paths = written(lambda: write_sweep(chapter, request.out))
        content = sweep_table(chapter)
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
