"""Measuring: pictures and truths are read ahead, each picture is opened once, every variant is asked of it."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from feedseg.engine.journal import (
    Failed,
    Journal,
    Measured,
    Outcome,
    Share,
    identity,
    measured_already,
    sparse,
)
from feedseg.errors import FeedsegError, first_line
from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.masks import IGNORED
from feedseg.evaluation.datasets.samples import Sample
from feedseg.evaluation.metrics.boundaries import boundary_counts
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.io.images import Picture
from feedseg.segmenter import OpenedPicture, Segmenter
from feedseg.settings import Settings
from feedseg.vision.feedback.base import Rereading
from feedseg.vision.feedback.registry import described_feedback
from feedseg.vocabulary import Vocabulary, default_templates

WITHOUT, WITH, CALIBRATED, CONTROL = "without", "feedback", "calibrated", "control"
FED_BACK = (WITH, CALIBRATED)
TITLES = {
    WITHOUT: "without feedback",
    WITH: "with the paper's feedback",
    CALIBRATED: "with calibrated feedback",
    CONTROL: "control: host attention twice",
}
Variants = Mapping[str, Rereading | None]


@dataclass(frozen=True)
class Experiment:
    """What is measured on a benchmark: how pictures are cut, which words are asked for, which variants are compared."""

    benchmark: Benchmark
    protocol: str  # its name
    vocabulary: Vocabulary
    settings: Settings
    smallest_area: float | None
    variants: Variants
    boundaries: bool = True  # whether boundary scores are wanted too

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return len(self.vocabulary.names)


class Bench:
    """A segmenter that is set up for an experiment: one of its own, which shares the weights and nothing else."""

    def __init__(self, segmenter: Segmenter, experiment: Experiment) -> None:
        self.experiment = experiment
        self.segmenter = copy(segmenter)
        self.segmenter.settings = experiment.settings

    def fingerprint(self) -> dict[str, Any]:
        """Everything that the numbers depend on, as JSON has it; not where things lie, nor how the work is shared."""
        experiment, benchmark = self.experiment, self.experiment.benchmark
        settings = self.segmenter.describe()
        settings |= {"device": torch.device(str(settings["device"])).type}
        del settings["feedback"]
        return {
            "benchmark": {
                "name": benchmark.name,
                "images": benchmark.images,
                "masks": benchmark.masks,
                "split": benchmark.split,
                "zero_is_ignored": benchmark.zero_is_ignored,
                "ignore_index": benchmark.ignore_index,
            },
            "words": words_hash(experiment.vocabulary),
            "threshold": experiment.vocabulary.threshold,
            "smallest_area": experiment.smallest_area,
            "settings": settings,
            "variants": {name: described_feedback(variant) for name, variant in experiment.variants.items()},
            "boundaries": experiment.boundaries,
            # a folder's name says less than the hash of its content, which is its revision
            "models": {role: one["revision"] or one["name"] for role, one in self.segmenter.provenance().items()},
            "versions": {"feedseg": version("feedseg"), "torch": torch.__version__},
        }

    def open(self, picture: Picture) -> OpenedPicture:
        """Run the tower, and wait until it has run."""
        opened = self.segmenter.open(picture)
        if self.segmenter.reader.tower.device.type == "cuda":
            torch.cuda.synchronize(self.segmenter.reader.tower.device)
        return opened

    def label(self, opened: OpenedPicture, variant: str) -> np.ndarray:
        """The labels by one variant, (height, width)."""
        experiment = self.experiment
        self.segmenter.feedback = experiment.variants[variant]
        return opened.labels(experiment.vocabulary, experiment.smallest_area)[0]

    def measure(self, sample: Sample, picture: Picture, truth: np.ndarray) -> Measured:
        """One picture, as the sample was read, by every variant."""
        classes = self.experiment.classes
        start = time.perf_counter()
        opened = self.open(picture)
        seconds = {"open": time.perf_counter() - start}
        pixels: dict[str, np.ndarray] = {}
        boundaries: dict[str, np.ndarray] = {}
        for variant in self.experiment.variants:
            start = time.perf_counter()
            labels = self.label(opened, variant)
            seconds[variant] = time.perf_counter() - start
            pixels[variant] = sparse(confusion_matrix(truth, labels, classes, IGNORED))
            if self.experiment.boundaries:
                counts = boundary_counts(truth, labels, classes, IGNORED)
                present = np.flatnonzero(counts.any(axis=0))
                boundaries[variant] = np.column_stack((present, counts[:, present].T))
        memory = peak_memory(self.segmenter.reader.tower.device)
        return Measured(sample.name, sample.sizes, pixels, boundaries, seconds, memory)


def run_share(bench: Bench, samples: Sequence[Sample], folder: Path, share: Share, workers: int) -> Iterator[Outcome]:
    """Measure what a share still lacks, into its journal; yields every picture once it is safely there.

    A picture that cannot be read or measured is an outcome of its own and never the end.
    """
    with Journal(folder, share, bench.fingerprint()) as journal:
        done = measured_already(folder)
        mine = [sample for sample in share.of_samples(samples) if identity(sample) not in done]
        for sample, reading in read_ahead(mine, workers):
            try:
                outcome = bench.measure(sample, *reading.result())
            except Exception as error:  # decoders are many, and so is what they raise
                outcome = Failed(sample.name, sample.sizes, reason(error))
            journal.add(outcome)
            yield outcome


def read_ahead(samples: Iterable[Sample], workers: int) -> Iterator[tuple[Sample, Future[tuple[Picture, np.ndarray]]]]:
    """The samples in their order, read by some threads while others are being measured."""
    pending: deque[tuple[Sample, Future[tuple[Picture, np.ndarray]]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="read")
    try:
        for sample in samples:
            pending.append((sample, pool.submit(sample.read)))
            if len(pending) > 2 * workers:
                yield pending.popleft()
        while pending:
            yield pending.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def reason(error: Exception) -> str:
    """What went wrong with a picture, in one line."""
    return str(error) if isinstance(error, FeedsegError) else f"{type(error).__name__}: {first_line(error)}"


def words_hash(vocabulary: Vocabulary) -> str:
    """A name for the words, their order and the prompts, the threshold left out: 16 hexadecimal digits."""
    templates = vocabulary.templates or default_templates()
    return sha256(repr((vocabulary.background, vocabulary.classes, templates)).encode()).hexdigest()[:16]


def peak_memory(device: torch.device) -> int | None:
    """The most memory that this process has held, bytes: on CUDA the device's, else the machine's; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # elsewhere it is in KiB
