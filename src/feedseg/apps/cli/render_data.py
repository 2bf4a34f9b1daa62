"""`feedseg data` on the terminal: reports on data sets, and the making of masks."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from feedseg.apps.cli.console import complain, console, facts, progress, show
from feedseg.engine.alone import sole_writer
from feedseg.engine.outcomes import Failed, Outcome
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, load_benchmark
from feedseg.evaluation.datasets.check import Report, check
from feedseg.evaluation.datasets.layout import root_below, root_of
from feedseg.evaluation.datasets.prepare import BENCHMARK_OF, Job, MappedMask, plan, run
from feedseg.evaluation.datasets.prepare_survey import survey
from feedseg.io.limits import FileLimits
from feedseg.io.reading import isolated_reader

ALL_WELL, PROBLEMS = 0, 1  # exit codes of a check
MOST_FAILURES = 10  # that are told one by one


def check_data(name: str, root: Path | None, limits: FileLimits, *, thorough: bool) -> int:
    """Check a data set, print the report, and return the exit code."""
    benchmark = load_benchmark(name, root)
    if benchmark.is_drawn:
        raise FeedsegError(f"{name} is drawn by feedseg itself: there are no files to check")
    folder = root_below(benchmark, root) or root_of(benchmark, None)
    with progress(visible=True) as bar, isolated_reader(limits) as reader:
        task = bar.add_task("files", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report = check(benchmark, folder, thorough, advance, reader)
    show(console(), facts(_lines(report)))
    return ALL_WELL if report.passed else PROBLEMS


def _lines(report: Report) -> list[tuple[str, str]]:
    benchmark = report.benchmark
    lines = [(benchmark.name, benchmark.title), ("root", str(report.root))]
    if report.images:
        wanted = f" of {benchmark.count}" if benchmark.count else ""
        lines.append(("images", f"{report.images}{wanted}"))
    if report.masks_read:
        lines += [("masks", f"{report.masks_read} read"), ("values", ranges(report.values))]
    given: set[str] = set()
    for finding in report.findings:
        lines.append(("problem" if finding.is_problem else "note", finding.text))
        if finding.advice and finding.advice not in given:  # where several problems have one cure it is told once
            lines.append(("", f"→ {finding.advice}"))
            given.add(finding.advice)
    problems = sum(finding.is_problem for finding in report.findings)
    verdict = "all is well" if not problems else "1 problem" if problems == 1 else f"{problems} problems"
    return [*lines, ("result", verdict)]


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in short: "0 to 20, 255"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def prepare_data(name: str, source: Path, out: Path, workers: int | None, limits: FileLimits) -> int:
    """Make the masks of a data set, say what came of it, and return the exit code."""
    started = time.monotonic()
    jobs = plan(name, source, out)
    there = told = 0
    with progress(visible=True) as bar, isolated_reader(limits) as reader:
        task = bar.add_task("looking", total=None)
        sources = [job.source for job in jobs if isinstance(job, MappedMask)]
        if doubt := survey(name, sources, lambda done, total: bar.update(task, completed=done, total=total), reader):
            complain(doubt)
    with sole_writer(out, (job.target.parent for job in jobs)), progress(visible=True) as bar:
        task = bar.add_task("masks", total=len(jobs))

        def tell(outcome: Outcome[Job, bool]) -> None:
            nonlocal there, told
            if isinstance(outcome, Failed):
                told += 1
                if told <= MOST_FAILURES:
                    complain(outcome.reason)
            else:
                there += outcome.result
            bar.advance(task)

        totals = run(jobs, workers or _processors(), tell, complain, limits)
    lines = [("made", f"{totals.done - there} files → {out} in {time.monotonic() - started:.1f} s")]
    if there:
        lines.append(("there", f"{there} files that were there already, left as they are"))
    if totals.failed:
        lines.append(("failed", f"{len(totals.failed)} files"))
    if not totals.interrupted:
        lines.append(("next", _next(load_benchmark(BENCHMARK_OF[name]), out)))
    show(console(), facts(lines))
    if totals.interrupted:
        complain("interrupted; the same command goes on where this one stopped")
    return totals.exit_code


def _next(benchmark: Benchmark, out: Path) -> str:
    """Where the images have to be, and how to see whether all fits."""
    images = benchmark.image(out, "").parent
    return f"images go to {images}; then: feedseg data check {benchmark.name} {out}"


def _processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
