"""What a user asks to be measured, in plain values, and the benches that it comes to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedseg.arguments import chosen_feedback
from feedseg.decode.refiners.small_areas import SmallAreas
from feedseg.engine.processes import SECONDS
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, load_benchmark
from feedseg.evaluation.datasets.check import examine
from feedseg.evaluation.datasets.layout import root_below, root_of
from feedseg.evaluation.datasets.samples import Sample, find_samples
from feedseg.evaluation.experiment import CONTROL, NONE, PAPER, Bench, Experiment, Variants
from feedseg.evaluation.protocols.protocol import Protocol, load_protocol
from feedseg.evaluation.sweep import Sweep
from feedseg.io.limits import FileLimits
from feedseg.io.reading import HERE, FileReader
from feedseg.loading import at_speed, own_settings
from feedseg.presets import known_preset
from feedseg.segmenter import Segmenter
from feedseg.settings import Settings
from feedseg.vision.feedback import AUTO
from feedseg.vision.feedback.controls import HostTwice
from feedseg.vocabulary import Vocabulary

SIZES = ("short_side", "max_long_side", "window", "stride")  # settings that say how an image is cut


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
    refiners: tuple[str, ...] = ()  # of every variant
    preset: str | None = None  # one more variant, by the preset's name
    sweep: Sweep | None = None  # what it compares, instead of `variants`
    give_up_after: float = SECONDS  # that one of several processes may take for an image
    limits: FileLimits = field(default_factory=FileLimits)  # of an image or a mask


@dataclass(frozen=True)
class BenchmarkRun:
    """A benchmark, ready to be measured."""

    bench: Bench
    samples: Sequence[Sample]
    folder: Path  # of its journals
    notes: tuple[str, ...] = ()  # what is worth knowing of its data and how they are looked at
    reader: FileReader = HERE  # of images and masks

    @property
    def benchmark(self) -> Benchmark:
        return self.bench.experiment.benchmark


@dataclass(frozen=True)
class Planned:
    """A benchmark before the model is loaded."""

    benchmark: Benchmark
    protocol: Protocol
    vocabulary: Vocabulary
    samples: Sequence[Sample]
    root: Path | None  # None where the images are drawn


def plan(request: Request) -> list[Planned]:
    """Find the data and choose the words; no model is needed yet.

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
        protocol.settings.changed(request.changes)  # a slip is told before a model is loaded
        folder = root_below(benchmark, request.data)
        samples = find_samples(benchmark, folder, request.limit)
        root = None if benchmark.is_drawn else root_of(benchmark, folder)
        planned.append(Planned(benchmark, protocol, vocabulary, samples, root))
    return planned


def examined(
    request: Request,
    planned: Planned,
    reader: FileReader = HERE,
    advance: Callable[[int, int], None] | None = None,
) -> tuple[str, ...]:
    """What is worth knowing of a benchmark's masks, all of which are looked at before one is measured.

    Raises:
        FeedsegError: what `feedseg data check` calls a problem of more than single files, in the same words.
    """
    if planned.root is None:
        return ()
    return examine(planned.benchmark, planned.root, request.limit, advance, reader).notes


def settings_for(request: Request, protocol: Protocol, segmenter: Segmenter) -> tuple[Settings, str]:
    """How images are cut, and the protocol's name: as the model's own sizes are, where it has some, as everywhere else.

    What a user's protocol file or command line gives comes before those. Published protocols are for CLIP, and its
    hosts' windows suit no other tower.

    Raises:
        FeedsegError: the settings do not go together.
    """
    settings, name = protocol.settings, protocol.name
    model = segmenter.model
    own = own_settings(request.model, model.tower)
    if own is not None:
        sizes = {key: getattr(own, key) for key in SIZES} | dict(protocol.own)
        sized = settings.changed({key: value for key, value in sizes.items() if key != "stride" or sizes["window"]})
        if sized != settings:
            settings, name = sized, f"{name}, with the sizes of {model.source}"
    settings = settings.changed(request.changes)
    return (settings if request.speed == "protocol" else settings.fast()), name


def prepare(
    request: Request,
    load: Callable[[], Segmenter] | None = None,
    look: Callable[[Request, Planned, FileReader], tuple[str, ...]] | None = examined,
    reader: FileReader = HERE,
) -> list[BenchmarkRun]:
    """Find the data, look at the masks, load the model.

    Args:
        request: what is asked for.
        load: gives the segmenter; None for `Segmenter.load` with the request's options.
        look: examines a benchmark's masks, see `examined`; None where that was done.
        reader: of images and masks.

    Raises:
        FeedsegError: something is not there, or does not fit.
    """
    planned = plan(request)
    notes = [look(request, one, reader) if look else () for one in planned]
    segmenter = at_speed(load() if load else Segmenter.load(request.model, **request.options), request.speed)
    variants = chosen_variants(request, segmenter)
    runs = []
    for one, seen in zip(planned, notes, strict=True):
        area = one.protocol.smallest_area
        settings, name = settings_for(request, one.protocol, segmenter)
        sized = () if name == one.protocol.name else (f"{name}, as `feedseg segment` looks at images",)
        experiment = Experiment(
            one.benchmark,
            name,
            one.vocabulary,
            settings,
            variants,
            (*([SmallAreas(area)] if area else []), *request.refiners),
            boundaries=request.sweep is None,
        )
        runs.append(
            BenchmarkRun(
                Bench(segmenter, experiment),
                one.samples,
                request.out / one.benchmark.name,
                (*seen, *sized),
                reader,
            )
        )
    return runs


def chosen_variants(request: Request, segmenter: Segmenter) -> Variants:
    """What is compared: by name a feedback, "none", or a preset; "auto" under the name of what suits the tower."""
    if request.sweep is not None:
        return {NONE: NONE, **request.sweep.settings(segmenter.feedback), CONTROL: HostTwice()}
    usual = segmenter.encoder.tower.default_feedback
    names = dict.fromkeys(usual if name == AUTO else name for name in request.variants)
    presets = {} if request.preset is None else {request.preset: known_preset(request.preset)}
    return {name: _variant(name, segmenter) for name in names} | presets


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
