"""What a user asks to be measured, in plain values, and the benches that it comes to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from feedseg.arguments import chosen_feedback
from feedseg.decode.refiners.small_areas import SmallAreas
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, load_benchmark
from feedseg.evaluation.datasets.layout import root_below
from feedseg.evaluation.datasets.samples import Sample, find_samples
from feedseg.evaluation.experiment import CONTROL, NONE, PAPER, Bench, Experiment, Variants
from feedseg.evaluation.protocols.protocol import Protocol, load_protocol
from feedseg.evaluation.sweep import Sweep
from feedseg.segmenter import Segmenter
from feedseg.settings import Settings
from feedseg.vision.feedback.controls import HostTwice
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Request:
    """What to measure; it can be sent to other processes. How the work is divided is no part of it."""

    benchmarks: tuple[str, ...]  # names or files
    data: Path | None
    model: str
    options: Mapping[str, Any]  # of `Segmenter.load`
    protocol: str
    changes: Mapping[str, Any]  # of the protocol's settings
    threshold: float | None
    vocabulary: Path | None
    limit: int | None
    workers: int  # threads that read ahead
    out: Path
    speed: str = "protocol"
    variants: tuple[str, ...] = (NONE, PAPER, CONTROL)  # names of feedbacks, "none" and "control"
    refiners: tuple[str, ...] = ()
    sweep: Sweep | None = None  # what it compares, instead of `variants`


@dataclass(frozen=True)
class BenchmarkRun:
    """A benchmark, ready to be measured."""

    bench: Bench
    samples: Sequence[Sample]
    folder: Path  # of its journals

    @property
    def benchmark(self) -> Benchmark:
        return self.bench.experiment.benchmark


@dataclass(frozen=True)
class Planned:
    """A benchmark before the model is loaded."""

    benchmark: Benchmark
    protocol: Protocol
    vocabulary: Vocabulary
    settings: Settings
    samples: Sequence[Sample]


def plan(request: Request) -> list[Planned]:
    """Find the data and choose words and settings; no model is needed yet.

    Raises:
        FeedsegError: something is not there or does not fit.
    """
    benchmarks = [load_benchmark(name, request.data) for name in request.benchmarks]
    names = [benchmark.name.casefold() for benchmark in benchmarks]  # some file systems take "A" and "a" for one folder
    if twice := next((one.name for one in benchmarks if names.count(one.name.casefold()) > 1), None):
        raise FeedsegError(f"the benchmark {twice} is asked for more than once")
    words = None if request.vocabulary is None else read_words(request.vocabulary)
    planned = []
    for benchmark in benchmarks:
        protocol = load_protocol(request.protocol, benchmark.name, request.options["host"])
        vocabulary = choose_words(benchmark, words, request.vocabulary, protocol.threshold, request.threshold)
        settings = changed(protocol.settings, request.changes)
        settings = settings.fast() if request.speed == "fast" else settings
        samples = find_samples(benchmark, root_below(benchmark, request.data), request.limit)
        planned.append(Planned(benchmark, protocol, vocabulary, settings, samples))
    return planned


def prepare(request: Request, load: Callable[[], Segmenter] | None = None) -> list[BenchmarkRun]:
    """Find the data, load the model, and see that the folders hold no numbers made otherwise.

    Args:
        request: what is asked for.
        load: gives the segmenter; None for `Segmenter.load` with the request's options.

    Raises:
        FeedsegError: something is not there, does not fit, or was measured otherwise before.
    """
    planned = plan(request)
    segmenter = load() if load else Segmenter.load(request.model, **request.options)
    variants = chosen_variants(request, segmenter)
    runs = []
    for one in planned:
        area = one.protocol.smallest_area
        experiment = Experiment(
            one.benchmark,
            one.protocol.name,
            one.vocabulary,
            one.settings,
            variants,
            (*([SmallAreas(area)] if area else []), *request.refiners),
            boundaries=request.sweep is None,
        )
        runs.append(BenchmarkRun(Bench(segmenter, experiment), one.samples, request.out / one.benchmark.name))
    return runs


def chosen_variants(request: Request, segmenter: Segmenter) -> Variants:
    """What is compared: by name a feedback object, or "none"."""
    if request.sweep is not None:
        return {NONE: NONE, **request.sweep.settings(segmenter.feedback), CONTROL: HostTwice()}
    return {name: _variant(name, segmenter) for name in request.variants}


def _variant(name: str, segmenter: Segmenter) -> Any:
    if name == NONE:
        return NONE
    return HostTwice() if name == CONTROL else chosen_feedback(name, segmenter.encoder)


def read_words(file: Path) -> Vocabulary:
    """A user's words; a protocol decides what a threshold compares, so nothing is told of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "a threshold of", UserWarning)
        return Vocabulary.read(file)


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
    if words.automatic:
        raise FeedsegError(f"{file}: a measurement says which words are its background; name them, instead of auto")
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
    return words.with_threshold(threshold)


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """A protocol's settings with what the user wants otherwise.

    Raises:
        FeedsegError: the settings do not go together.
    """
    try:
        new = replace(settings, **changes)
    except ValueError as error:
        raise FeedsegError(str(error)) from error
    if new.window is None and "stride" in changes:
        raise FeedsegError("--stride is the step between windows, and there are none here: give --window too")
    return new
