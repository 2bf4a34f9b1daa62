"""`feedseg evaluate`: measure benchmarks, going on where an earlier run has stopped, and report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.progress import TaskID

from feedseg.apps.cli.console import complain, console, facts, listed, plain_table, progress, show
from feedseg.apps.cli.experiments import Request, Task, prepare
from feedseg.engine.journal import JournalError, Share, identity, measured_already, read_journals
from feedseg.engine.processes import measure_apart, measure_here
from feedseg.errors import FeedsegError
from feedseg.evaluation.metrics.bootstrap import FEW, few_note
from feedseg.evaluation.metrics.results import Result, summarise
from feedseg.evaluation.report.content import Chapter
from feedseg.evaluation.report.tables import percent, points
from feedseg.evaluation.report.write import Written, write_report
from feedseg.evaluation.run import FED_BACK, WITH, WITHOUT

SUCCESS, SOME_FAILED, INTERRUPTED = 0, 1, 130
T = TypeVar("T")


def evaluate(request: Request, shards: int, share: Share | None) -> int:
    """Measure, report, and return the exit code."""
    tasks = prepare(request)
    if stopped := measure(request, tasks, shards, share):
        return stopped
    results = [collect(task) for task in tasks]
    if share is not None and any(result.missing for result in results):
        return _end_share(tasks, results, share)
    chapters = [
        Chapter(task.bench, task.samples, result) for task, result in zip(tasks, results, strict=True) if result.names
    ]
    report = written(lambda: write_report(chapters, request.out)) if chapters else None
    for failure in report.undrawn if report else ():
        complain(failure)
    summarise_on_screen(tasks, results, report)
    if any(result.missing or result.failed for result in results) or report is None or report.undrawn:
        return SOME_FAILED
    return SUCCESS


def measure(request: Request, tasks: Sequence[Task], shards: int, share: Share | None) -> int:
    """Measure what is missing; returns SUCCESS, or the exit code where the user or a full disk has stopped it."""
    try:
        _measure(request, tasks, shards, share)
    except KeyboardInterrupt:
        why, code = "interrupted", INTERRUPTED
    except JournalError as error:
        why, code = str(error), SOME_FAILED
    else:
        return SUCCESS
    done = sum(len(measured_already(task.folder) & set(map(identity, task.samples))) for task in tasks)
    complain(f"{why}; pictures measured so far: {done}; the same command goes on")
    return code


def written(write: Callable[[], T]) -> T | None:
    """What is returned by writing a report, or None where it cannot be written: that loses nothing measured."""
    try:
        return write()
    except FeedsegError as error:
        complain(f"{error}; what was measured is safe, and the same command writes the report")
        return None


def _measure(request: Request, tasks: Sequence[Task], shards: int, share: Share | None) -> None:
    with progress(visible=True) as bar:
        bars: dict[str, TaskID] = {}
        for task in tasks:
            mine = (share or Share()).of_samples(task.samples)
            done = measured_already(task.folder)
            bars[task.benchmark.name] = bar.add_task(
                task.benchmark.name, total=len(mine), completed=sum(identity(sample) in done for sample in mine)
            )

        def heard(benchmark: str, failure: str | None) -> None:
            bar.advance(bars[benchmark])
            if failure is not None:
                complain(failure)

        if shards == 1:
            measure_here(tasks, share or Share(), request.workers, heard)
            return
        measure_apart(request, shards, heard, lost=complain)


def collect(task: Task) -> Result:
    """What the journals of a benchmark come to."""
    experiment = task.bench.experiment
    contents = read_journals(task.folder)
    return summarise(
        contents, [identity(sample) for sample in task.samples], [*experiment.variants], experiment.classes
    )


def _end_share(tasks: Sequence[Task], results: Sequence[Result], share: Share) -> int:
    rows = []
    failed = False
    for task, result in zip(tasks, results, strict=True):
        mine = {sample.name for sample in share.of_samples(task.samples)}
        lost = [failure for failure in result.failed if failure.name in mine]
        failed |= bool(lost)
        text = f"share {share} is finished; {len(result.names)} of all {result.wanted} pictures are measured in"
        rows.append((task.benchmark.name, f"{text} {task.folder}"))
    rows.append(("report", "put the journals of all shares into one --out, and give the same command without --shard"))
    show(console(), facts(rows))
    return SOME_FAILED if failed else SUCCESS


def summarise_on_screen(tasks: Sequence[Task], results: Sequence[Result], report: Written | None) -> None:
    """A short table, and where the rest is."""
    screen = console()
    if any(result.names for result in results):
        variants = tasks[0].bench.experiment.variants
        headings = [heading for name in variants for heading in _headings(name, WITHOUT in variants)]
        table = plain_table("mIoU", *headings, "published")
        for task, result in zip(tasks, results, strict=True):
            if result.names:
                table.add_row(task.benchmark.name, *_figures(task, result))
        for column in table.columns[1:]:
            column.justify = "right"
        show(screen, table)
    rows = []
    for task, result in zip(tasks, results, strict=True):
        rows.append((task.benchmark.name, state_of(result)))
    rows += caution(results)
    rows += [] if report is None else [("report", str(report.html)), ("", str(report.html.parent))]
    show(screen, facts(rows))


def state_of(result: Result) -> str:
    """How many pictures were measured, and what is the matter with the others."""
    text = f"{len(result.names)} of {result.wanted} pictures"
    if result.failed:
        text += f"; {len(result.failed)} failed: {listed([failure.name for failure in result.failed], most=5)}"
    if result.missing:
        text += f"; {result.missing} not measured: give the same command again"
    return text


def caution(results: Sequence[Result]) -> list[tuple[str, str]]:
    """A row that says so where pictures are too few for the intervals beside them."""
    note = few_note(min((len(result.names) for result in results if result.names), default=FEW))
    return [] if note is None else [("note", note)]


def _headings(variant: str, with_gain: bool) -> list[str]:
    """What is said of a variant: without a baseline its mIoU, of the control else its gain alone, of others both."""
    name = {WITHOUT: "none", WITH: "paper"}.get(variant, variant)
    if variant in FED_BACK and with_gain:
        return [name, "gain, 95 % interval"]
    return [name]


def _figures(task: Task, result: Result) -> list[str]:
    chapter = Chapter(task.bench, task.samples, result)
    cells = []
    for name, one in result.variants.items():
        gain, miou = chapter.gain(name), percent(one.miou.value)
        if gain is None:
            cells.append(miou)
        elif name in FED_BACK:
            cells += [miou, points(gain)]
        else:
            cells.append(points(gain, interval=False))
    return [*cells, "" if chapter.published is None else f"{chapter.published.miou:.1f}"]
