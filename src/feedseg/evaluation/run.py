"""Measuring benchmarks through the engine: here, in several processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from feedseg.engine.cluster import Wanted, cluster_for
from feedseg.engine.journal import JournalFolder
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Outcome
from feedseg.engine.processes import Processes
from feedseg.engine.run import Recording, Totals, run
from feedseg.engine.shards import Shard
from feedseg.engine.task import Executor, Task
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.experiment import Bench
from feedseg.evaluation.measured import STEM, Measured, identity_json, read_measurements
from feedseg.evaluation.metrics.results import Result, summarise
from feedseg.evaluation.request import BenchmarkRun, Request, prepare
from feedseg.io.images import RgbImage
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.reading import HERE, FileReader
from feedseg.vision.devices import device_of_worker


@dataclass(frozen=True)
class BenchmarkSample:
    """An image of a benchmark, as the engine's item."""

    benchmark: str  # its name
    sample: Sample

    @property
    def name(self) -> str:
        return self.sample.name

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.sample.sizes


SampleOutcome = Outcome[BenchmarkSample, Measured]
Loaded = tuple[BenchmarkSample, RgbImage, np.ndarray]


@dataclass(frozen=True)
class Measure(Task[BenchmarkSample, Measured]):
    """Reads image and target, encodes the image once, and measures every variant."""

    benches: Mapping[str, Bench]  # by the benchmark's name
    reader: FileReader = HERE  # of images and masks

    def load(self, item: BenchmarkSample) -> Loaded:
        """See `Task.load`."""
        return item, *item.sample.read(self.reader)

    def abandon(self) -> None:
        """See `Task.abandon`."""
        self.reader.interrupt()

    def process(self, loaded: Iterable[Loaded]) -> Iterator[Measured]:
        """See `Task.process`."""
        for item, image, target in loaded:
            yield self.benches[item.benchmark].measure(item.sample, image, target)


def measure_task(runs: Sequence[BenchmarkRun]) -> Measure:
    """The task for these benchmarks, all of which have the same reader."""
    reader = next((one.reader for one in runs), HERE)
    return Measure({one.benchmark.name: one.bench for one in runs}, reader)


def items_of(one: BenchmarkRun, shard: Shard | None = None) -> list[BenchmarkSample]:
    """A benchmark's images that belong to a shard."""
    return [BenchmarkSample(one.benchmark.name, sample) for sample in (shard or Shard()).of_items(one.samples)]


def recording_of(one: BenchmarkRun, shard: Shard | None = None) -> Recording[BenchmarkSample, Measured]:
    """How a benchmark's measurements are kept."""
    journals = JournalFolder(one.folder, STEM)
    return Recording(journals, one.bench.fingerprint(), identity_json, Measured.to_json, shard)


def measure(
    executor: Executor[BenchmarkSample, Measured],
    runs: Sequence[BenchmarkRun],
    shard: Shard | None = None,
    progress: Callable[[SampleOutcome], None] | None = None,
) -> list[Totals[BenchmarkSample]]:
    """Measure what the journals lack, a benchmark after the other, until one is stopped.

    Args:
        executor: see `executor_for`.
        runs: the benchmarks.
        shard: the part of every benchmark that is measured; None for all.
        progress: called with every outcome.

    Raises:
        FeedsegError: a journal cannot be opened, or holds numbers made otherwise.
    """
    totals = []
    for one in runs:
        totals.append(run(executor, items_of(one, shard), recording_of(one, shard), progress))
        if totals[-1].stopped:
            break
    return totals


def executor_for(
    request: Request,
    runs: Sequence[BenchmarkRun],
    processes: int,
    stack: ExitStack,
    on_lost: Callable[[str], None],
    cluster: Wanted | None = None,
) -> Executor[BenchmarkSample, Measured]:
    """This process, or several that `stack` closes, on CUDA each on the next device; or the workers of a cluster."""
    if cluster is not None:
        images = sum(len(one.samples) for one in runs)
        build = partial(partial, build_cluster_worker, request)
        return cluster_for(cluster, build, images, request.workers, stack, on_lost, request.give_up_after)
    if processes == 1:
        return Local(measure_task(runs), request.workers)
    build = partial(build_worker, request, max(1, torch.get_num_threads() // processes))
    return stack.enter_context(Processes(build, processes, request.workers, on_lost, request.give_up_after))


def build_worker(request: Request, threads: int, shard: Shard) -> Measure:
    """The task of one of several processes, made inside it."""
    torch.set_num_threads(threads)
    reader = FileReader(request.limits, IsolatedDecoder())  # whose processes end with this one
    return measure_task(prepare(on_device(request, shard.number), look=None, reader=reader))


def build_cluster_worker(request: Request, threads: int, shard: Shard) -> Measure:
    """The task of a worker of a cluster, made inside it, where Ray has chosen the device."""
    torch.set_num_threads(threads)
    return measure_task(prepare(request, look=None))


def on_device(request: Request, number: int) -> Request:
    """The request with the device of the number-th process."""
    device = device_of_worker(request.options["device"], number)
    return replace(request, options={**request.options, "device": device})


def collect(one: BenchmarkRun) -> Result:
    """What the journals of a benchmark come to.

    Raises:
        FeedsegError: a journal is damaged or cannot be read.
    """
    experiment = one.bench.experiment
    measurements = read_measurements(JournalFolder(one.folder, STEM))
    try:
        return summarise(measurements, one.samples, [*experiment.variants], experiment.classes)
    except FeedsegError as error:
        raise FeedsegError(f"{one.folder}: {error}") from error
