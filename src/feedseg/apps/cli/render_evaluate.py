"""`feedseg evaluate` on the terminal: progress, a short table, and where the report is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from feedseg.apps.cli.console import complain, console, facts, listed, plain_table, progress, show
from feedseg.apps.cli.loading import load_segmenter
from feedseg.engine.cluster import Wanted
from feedseg.engine.outcomes import Failed
from feedseg.engine.run import SOME_FAILED, SUCCESS
from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError
from feedseg.evaluation.experiment import NONE, with_feedback
from feedseg.evaluation.metrics.bootstrap import FEW, few_note
from feedseg.evaluation.metrics.results import Result
from feedseg.evaluation.report.benchmark import BenchmarkReport
from feedseg.evaluation.report.presets import preset_gains
from feedseg.evaluation.report.summary import average_of
from feedseg.evaluation.report.tables import percent, points, signed
from feedseg.evaluation.report.write import Written, write_report
from feedseg.evaluation.request import BenchmarkRun, Planned, Request, examined, prepare
from feedseg.evaluation.run import SampleOutcome, collect, executor_for, items_of, measure, recording_of
from feedseg.evaluation.suite import Average, available
from feedseg.io.reading import FileReader, isolated_reader

T = TypeVar("T")
FULL = 2  # of so many feedbacks the table on the screen has intervals


def present_of(suite: Sequence[str], data: Path | None, limit: int | None) -> tuple[str, ...]:
    """The benchmarks whose data are there; the user is told of each of the others, in a line.

    Raises:
        FeedsegError: there is none.
    """
    present, absent = available(suite, data, limit)
    for line in absent:
        complain(line)
    if not present:
        raise FeedsegError("no benchmark's data are there: give the folder that holds them as --data")
    return present


def evaluate(
    request: Request, shards: int, shard: Shard | None, cluster: Wanted | None = None, *, complete: bool = True
) -> int:
    """Measure, report, and return the exit code: SUCCESS only if what is measured is complete as well."""
    with isolated_reader(request.limits) as reader:
        return _evaluate(prepared(request, reader), request, shards, shard, cluster, complete=complete)


def _evaluate(
    runs: Sequence[BenchmarkRun],
    request: Request,
    shards: int,
    shard: Shard | None,
    cluster: Wanted | None,
    *,
    complete: bool,
) -> int:
    if stopped := measured(request, runs, shards, shard, cluster):
        return stopped
    results = [collect(one) for one in runs]
    if shard is not None and any(result.missing for result in results):
        return _end_of_shard(runs, results, shard)
    reports = [
        BenchmarkReport(one.bench, one.samples, result, one.notes, one.reader)
        for one, result in zip(runs, results, strict=True)
        if result.names
    ]
    report = written(lambda: write_report(reports, request.out)) if reports else None
    for failure in report.undrawn if report else ():
        complain(failure)
    _summarise(runs, results, reports, report)
    if any(result.missing or result.failed for result in results) or report is None or report.undrawn:
        return SOME_FAILED
    return SUCCESS if complete else SOME_FAILED


def prepared(request: Request, reader: FileReader) -> list[BenchmarkRun]:
    """The benchmarks with the model loaded and all words embedded: one that the model does not know fails here.

    Images and masks are read by `reader`.

    Raises:
        FeedsegError: something is not there, does not fit, or was measured otherwise before.
    """
    runs = prepare(request, lambda: load_segmenter(request.model, request.options), look_at_masks, reader)
    for one in runs:
        recording = recording_of(one)
        recording.journals.check(recording.fingerprint)
    with progress(visible=True) as bar:
        words = bar.add_task("words", total=None, visible=False)
        for one in runs:
            one.bench.segmenter.embed(
                one.bench.experiment.vocabulary,
                lambda done, total: bar.update(words, completed=done, total=total, visible=True),
            )
    return runs


def look_at_masks(request: Request, planned: Planned, reader: FileReader) -> tuple[str, ...]:
    """See `examined`, with a bar."""
    with progress(visible=True) as bar:
        task = bar.add_task(f"masks of {planned.benchmark.name}", total=None)
        return examined(request, planned, reader, lambda done, total: bar.update(task, completed=done, total=total))


def measured(
    request: Request, runs: Sequence[BenchmarkRun], shards: int, shard: Shard | None, cluster: Wanted | None = None
) -> int:
    """Measure what is missing, with bars; SUCCESS, or the exit code where the user or a full disk has stopped it."""
    with progress(visible=True) as bar, ExitStack() as stack:
        bars = {}
        for one in runs:
            items = items_of(one, shard)
            missing = recording_of(one).lacking(items)
            name = one.benchmark.name
            bars[name] = bar.add_task(name, total=len(items), completed=len(items) - len(missing))

        def tell(outcome: SampleOutcome) -> None:
            bar.advance(bars[outcome.item.benchmark])
            if isinstance(outcome, Failed):
                name, reason = outcome.item.name, outcome.reason
                complain(reason if name in reason else f"{name}: {reason}")

        try:
            totals = measure(executor_for(request, runs, shards, stack, complain, cluster), runs, shard, tell)
        except KeyboardInterrupt:  # while the workers are started
            totals = []
            stopped, why = 130, "interrupted"
        else:
            last = totals[-1]
            stopped, why = (last.exit_code, last.error or "interrupted") if last.stopped else (SUCCESS, "")
    if stopped:
        done = sum(len(one.samples) - len(recording_of(one).lacking(items_of(one))) for one in runs)
        complain(f"{why}; images measured so far: {done}; the same command goes on")
    return stopped


def written(write: Callable[[], T]) -> T | None:
    """What is returned by writing a report, or None where it cannot be written: that loses nothing measured."""
    try:
        return write()
    except FeedsegError as error:
        complain(f"{error}; what was measured is safe, and the same command writes the report")
        return None


def _end_of_shard(runs: Sequence[BenchmarkRun], results: Sequence[Result], shard: Shard) -> int:
    rows = []
    failed = False
    for one, result in zip(runs, results, strict=True):
        ours = {item.name for item in items_of(one, shard)}
        failed |= any(failure.item in ours for failure in result.failed)
        text = f"shard {shard} is finished; {len(result.names)} of all {result.wanted} images are measured in"
        rows.append((one.benchmark.name, f"{text} {one.folder}"))
    rows.append(("report", "put the journals of all shards into one --out, and give the same command without --shard"))
    show(console(), facts(rows))
    return SOME_FAILED if failed else SUCCESS


def _summarise(
    runs: Sequence[BenchmarkRun], results: Sequence[Result], reports: Sequence[BenchmarkReport], report: Written | None
) -> None:
    """A short table, and where the rest is."""
    screen = console()
    mean = None
    if reports:
        variants = runs[0].bench.experiment.variants
        short = len(with_feedback(variants)) > FULL
        headings = [heading for name in variants for heading in _headings(name, NONE in variants, short)]
        table = plain_table("mIoU", *headings, "published")
        for one in reports:
            table.add_row(one.name, *_figures(one, short))
        if (mean := average_of(reports)) is not None:
            table.add_row("average", *_average(mean, variants))
        for column in table.columns[1:]:
            column.justify = "right"
        show(screen, table)
    rows = [(one.benchmark.name, state_of(result)) for one, result in zip(runs, results, strict=True)]
    rows += [(f"{one.name}, {name}", judgement.text) for one in reports for name, judgement in one.judgements.items()]
    gains = ((one.name, preset_gains(one.bench, one.result)) for one in reports)
    rows += [(f"{name}, {title}", text) for name, found in gains for title, text in found]
    rows += [] if mean is None else [("average", mean.text)]
    rows += [("note", f"{one.benchmark.name}: {note}") for one in runs for note in one.notes]
    rows += caution(results)
    rows += [] if report is None else [("report", str(report.html)), ("", str(report.html.parent))]
    show(screen, facts(rows))


def state_of(result: Result) -> str:
    """How many images were measured, and what is the matter with the others."""
    text = f"{len(result.names)} of {result.wanted} images"
    if result.failed:
        text += f"; {len(result.failed)} failed: {listed([failure.item for failure in result.failed], most=5)}"
    if result.missing:
        text += f"; {result.missing} not measured: give the same command again"
    return text


def caution(results: Sequence[Result]) -> list[tuple[str, str]]:
    """A row that says so where images are too few for the intervals beside them."""
    note = few_note(min((len(result.names) for result in results if result.names), default=FEW))
    return [] if note is None else [("note", note)]


def _headings(variant: str, with_gain: bool, short: bool) -> list[str]:
    """What is said of a variant: without a baseline its mIoU, of the control else its gain alone, of others both."""
    gain = "gain" if short else "gain, 95 % interval"
    return [variant, gain] if with_gain and with_feedback([variant]) else [variant]


def _average(mean: Average, variants: Iterable[str]) -> list[str]:
    """The cells of its row, as those of `_figures`; a gain is the difference of two means."""
    cells = []
    for name in variants:
        gain = None if NONE not in mean.variants or name == NONE else signed(mean.variants[name] - mean.variants[NONE])
        miou = percent(mean.variants[name])
        cells += [miou] if gain is None else [miou, gain] if with_feedback([name]) else [gain]
    return [*cells, ""]


def _figures(report: BenchmarkReport, short: bool) -> list[str]:
    cells = []
    for name, one in report.result.variants.items():
        gain, miou = report.gain(name), percent(one.miou.value)
        if gain is None:
            cells.append(miou)
        elif with_feedback([name]):
            cells += [miou, points(gain, interval=not short)]
        else:
            cells.append(points(gain, interval=False))
    return [*cells, "" if report.published is None else f"{report.published.miou:.1f}"]
