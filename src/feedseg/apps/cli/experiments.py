"""From what the user asks for on the command line to benches that measure it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from feedseg.apps.cli.console import progress
from feedseg.apps.cli.run_segment import load_segmenter
from feedseg.engine.journal import check_fingerprint
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, load_benchmark
from feedseg.evaluation.datasets.layout import root_below
from feedseg.evaluation.datasets.samples import Sample, find_samples
from feedseg.evaluation.protocols.protocol import load_protocol
from feedseg.evaluation.run import CALIBRATED, CONTROL, WITH, WITHOUT, Bench, Experiment, Variants
from feedseg.evaluation.sweep import Sweep
from feedseg.segmenter import Segmenter
from feedseg.settings import Settings
from feedseg.vision.feedback.base import FeedbackAttention
from feedseg.vision.feedback.calibrated import CalibratedFeedback
from feedseg.vision.feedback.controls import HostTwice
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Request:
    """What to measure, in plain values, so that other processes can be told; the shards are not part of it."""

    benchmarks: tuple[str, ...]  # names or files
    data: Path | None
    model: str
    options: Mapping[str, Any]  # of `Segmenter.load`
    protocol: str
    changes: Mapping[str, Any]  # of the protocol's settings
    threshold: float | None
    vocabulary: Path | None
    limit: int | None
    workers: int
    out: Path
    speed: str = "protocol"
    variants: tuple[str, ...] = (WITHOUT, WITH, CONTROL)
    sweep: Sweep | None = None  # what it compares, instead of `variants`


@dataclass(frozen=True)
class Task:
    """A benchmark, ready to be measured."""

    bench: Bench
    samples: Sequence[Sample]
    folder: Path  # of its journals

    @property
    def benchmark(self) -> Benchmark:
        return self.bench.experiment.benchmark


def prepare(request: Request, *, visible: bool = True) -> list[Task]:
    """Find the data, load the model and embed the words.

    Raises:
        FeedsegError: something is not there, does not fit, or was measured otherwise before.
    """
    benchmarks = [load_benchmark(name, request.data) for name in request.benchmarks]
    names = [benchmark.name.casefold() for benchmark in benchmarks]  # some file systems take "A" and "a" for one folder
    if twice := next((one.name for one in benchmarks if names.count(one.name.casefold()) > 1), None):
        raise FeedsegError(f"the benchmark {twice} is asked for more than once")
    host = str(request.options["host"])
    words = None if request.vocabulary is None else Vocabulary.read(request.vocabulary)
    planned = []
    for benchmark in benchmarks:
        protocol = load_protocol(request.protocol, benchmark.name, host)
        vocabulary = choose_words(benchmark, words, request.vocabulary, protocol.threshold, request.threshold)
        settings = changed(protocol.settings, request.changes)
        settings = settings.fast() if request.speed == "fast" else settings
        samples = find_samples(benchmark, root_below(benchmark, request.data), request.limit)
        planned.append((benchmark, protocol, vocabulary, settings, samples))
    segmenter = load_segmenter(request.model, request.options, {}, visible=visible)
    variants = chosen_variants(request, segmenter)
    tasks = []
    for benchmark, protocol, vocabulary, settings, samples in planned:
        experiment = Experiment(
            benchmark,
            protocol.name,
            vocabulary,
            settings,
            protocol.smallest_area,
            variants,
            boundaries=request.sweep is None,
        )
        tasks.append(Task(Bench(segmenter, experiment), samples, request.out / benchmark.name))
    for task in tasks:
        check_fingerprint(task.folder, task.bench.fingerprint())
    embed(tasks, visible=visible)
    return tasks


def chosen_variants(request: Request, segmenter: Segmenter) -> Variants:
    """What is compared: by name a feedback, the control, or nothing."""
    if request.sweep is not None:
        assert isinstance(segmenter.feedback, FeedbackAttention)
        return {WITHOUT: None, **request.sweep.settings(segmenter.feedback), CONTROL: HostTwice()}
    every = {WITHOUT: None, WITH: segmenter.feedback, CALIBRATED: CalibratedFeedback(), CONTROL: HostTwice()}
    return {name: every[name] for name in request.variants}


def choose_words(
    benchmark: Benchmark, words: Vocabulary | None, file: Path | None, usual: float, wanted: float | None
) -> Vocabulary:
    """The benchmark's own words, or a user's instead of them; the threshold that was asked for, or the usual one.

    Raises:
        FeedsegError: they do not fit the masks: another number of classes, a background too many or too few.
    """
    threshold = usual if wanted is None else wanted
    if words is None:
        return benchmark.vocabulary(threshold)
    if len(words.classes) != len(benchmark.classes):
        raise FeedsegError(
            f"{file} has {len(words.classes)} classes, the masks of {benchmark.name} have {len(benchmark.classes)}"
            f"{' beside the background' if benchmark.background else ''}"
        )
    if wanted is None and words.threshold:
        threshold = words.threshold
    if not benchmark.background and (words.background or threshold):
        raise FeedsegError(f"{benchmark.name} has no background: leave out {file}'s, and any threshold")
    if benchmark.background and not words.background and not threshold:
        raise FeedsegError(
            f"{benchmark.name} has a background: give it a --threshold, or words by a line 'background: …' in {file}"
        )
    return Vocabulary(words.classes, words.background or None, threshold, words.templates)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """A protocol's settings with what the user wants otherwise."""
    try:
        new = replace(settings, **changes)
    except ValueError as error:
        raise FeedsegError(str(error)) from error
    if new.window is None and "stride" in changes:
        raise FeedsegError("--stride is the step between windows, and there are none here: give --window too")
    return new


def embed(tasks: Sequence[Task], *, visible: bool) -> None:
    """Embed all words beforehand, so that one that the model does not know is no picture's fault."""
    with progress(visible=visible) as bar:
        words = bar.add_task("words", total=None, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(words, completed=done, total=total, visible=True)

        for task in tasks:
            task.bench.segmenter.embed(task.bench.experiment.vocabulary, show)
