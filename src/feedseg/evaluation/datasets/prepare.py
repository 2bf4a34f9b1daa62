"""Making the masks that the evaluations use from those that are downloaded; the originals are only read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from feedseg.engine.local import Local
from feedseg.engine.outcomes import Outcome, explain
from feedseg.engine.processes import Processes
from feedseg.engine.run import Totals
from feedseg.engine.run import run as run_items
from feedseg.engine.shards import Shard
from feedseg.engine.task import Executor, Task
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, load_benchmark
from feedseg.evaluation.datasets.layout import existing, matching_ids
from feedseg.evaluation.datasets.masks import read_mask
from feedseg.evaluation.datasets.prepare_context import ANNOTATIONS, Regions, read_regions
from feedseg.evaluation.toml_files import RAW_VALUES, read_toml, suggestion
from feedseg.files import write_atomically
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits
from feedseg.io.reading import HERE, FileReader, isolated_reader

BENCHMARK_OF = {
    "coco-stuff": "coco-stuff",
    "coco-object": "coco-object",
    "cityscapes": "cityscapes",
    "context": "context59",
}
# Where downloaded masks lie below the folder that is given, whichever of the download's that is, and their names.
_COCO = ("annotations/val2017", "stuffthingmaps_trainval2017/val2017", "val2017", "")
RAW_FOLDERS = {"coco-stuff": _COCO, "coco-object": _COCO, "cityscapes": ("gtFine/val", "val", "")}
RAW_NAMES = {"coco-stuff": "{id}.png", "coco-object": "{id}.png", "cityscapes": "{id}_gtFine_labelIds.png"}
OTHER = -1  # in a table: a value that the originals do not have


class Job(Protocol):
    """One file to make; it can go to another process."""

    @property
    def target(self) -> Path: ...

    def write(self, reader: FileReader = HERE) -> None:
        """Make it of what `reader` reads; FeedsegError if that cannot be."""
        ...


@dataclass(frozen=True)
class MappedMask:
    """A mask whose every value becomes another."""

    source: Path
    target: Path
    table: tuple[int, ...]  # by the original's value, OTHER where there is none

    def write(self, reader: FileReader = HERE) -> None:
        """See `Job`."""
        values = read_mask(self.source, reader)
        table = np.full(int(np.iinfo(values.dtype).max) + 1, OTHER, np.int16)
        table[: len(self.table)] = self.table
        mapped = table[values]
        if (mapped == OTHER).any():
            raise FeedsegError(f"{self.source} holds the value {values[mapped == OTHER].min()}, which has no meaning")
        _save(mapped.astype(np.uint8), self.target)


@dataclass(frozen=True)
class DrawnMask:
    """A mask that is put together from regions."""

    regions: Regions
    target: Path

    def write(self, reader: FileReader = HERE) -> None:
        """See `Job`."""
        _save(self.regions.labels(), self.target)


@dataclass(frozen=True)
class Split:
    """A list of images."""

    target: Path
    text: str

    def write(self, reader: FileReader = HERE) -> None:
        """See `Job`."""
        with write_atomically(self.target) as temporary:
            temporary.write_text(self.text, encoding="utf-8")


@dataclass(frozen=True)
class WriteFiles(Task[Job, bool]):
    """Makes files; the result is whether a file was there already, which is finished and stays as it is."""

    reader: FileReader = HERE  # of masks

    def process(self, loaded: Iterable[Job]) -> Iterator[bool]:
        """See `Task.process`."""
        for job in loaded:
            if job.target.is_dir():
                raise FeedsegError(f"cannot write {job.target}: it is a folder")
            there = os.path.lexists(job.target)
            if not there:
                try:
                    job.write(self.reader)
                except FeedsegError:
                    raise
                except Exception as error:
                    raise FeedsegError(f"{job.target} cannot be made: {explain(error)}") from error
            yield there


def plan(name: str, source: Path, out: Path) -> list[Job]:
    """What is to be made, in order.

    Args:
        name: a key of `BENCHMARK_OF`.
        source: the folder of the downloaded masks, or one above it; for "context" the JSON file or its folder.
        out: the root of the benchmark that is to be.

    Raises:
        FeedsegError: no such name, or the originals are not there.
    """
    if name not in BENCHMARK_OF:
        raise FeedsegError(f"there is nothing to prepare for {name!r}{suggestion(name, BENCHMARK_OF)}")
    if out.exists() and not out.is_dir():
        raise FeedsegError(f"{out} is a file: give the folder for the masks")
    benchmark = load_benchmark(BENCHMARK_OF[name])
    if name == "context":
        return list(_context_jobs(benchmark, source, out))
    originals = raw_masks(name, source)
    if not originals:
        wanted = RAW_NAMES[name].replace("{id}", "…")
        raise FeedsegError(f"there are no masks {wanted} in {source}; download {benchmark.download}")
    table = value_table(name)
    return [MappedMask(path, benchmark.mask(out, one), table) for one, path in originals.items()]


def raw_masks(name: str, source: Path) -> dict[str, Path]:
    """The downloaded masks of the validation split by id; none where there are none."""
    slashes = 1 if name == "cityscapes" else 0  # Cityscapes has a folder for every city
    for folder in (source / inside for inside in RAW_FOLDERS.get(name, ())):
        ids = [one for one in matching_ids(RAW_NAMES[name], folder) if one.count("/") == slashes]
        found = {
            one: existing(folder / RAW_NAMES[name].replace("{id}", one)) for one in ids if not one.endswith("TrainIds")
        }
        if found:
            return found
    return {}


def value_table(name: str) -> tuple[int, ...]:
    """What becomes of the values 0 to 255 of downloaded masks; OTHER where they have no meaning."""
    facts = read_toml(RAW_VALUES)
    table = [OTHER] * 256
    if name == "cityscapes":
        cityscapes = facts["cityscapes"]
        for value in range(cityscapes["last"] + 1):
            table[value] = 255
        for label, value in enumerate(cityscapes["counted"]):
            table[value] = label
        return tuple(table)
    stuff = facts["coco-stuff"]
    used = [value for value in range(stuff["last"] + 1) if value not in stuff["unused"]]
    for label, value in enumerate(used):
        if name == "coco-stuff":
            table[value] = label
        else:
            table[value] = label + 1 if value <= stuff["last_thing"] else 0
    table[stuff["unlabelled"]] = 255 if name == "coco-stuff" else 0
    return tuple(table)


def _context_jobs(benchmark: Benchmark, source: Path, out: Path) -> Iterator[Job]:
    path = source / ANNOTATIONS if source.is_dir() else source
    if not path.is_file():
        raise FeedsegError(f"{path} is missing; download {benchmark.download}")
    images = list(read_regions(path, tuple(words[0] for words in benchmark.classes)))
    for image in images:
        yield DrawnMask(image, benchmark.mask(out, image.name))
    assert benchmark.split is not None
    yield Split(out / benchmark.split, "".join(f"{image.name}\n" for image in images))


def run(
    jobs: Sequence[Job],
    workers: int,
    progress: Callable[[Outcome[Job, bool]], None] | None = None,
    on_lost: Callable[[str], None] | None = None,
    limits: FileLimits | None = None,
) -> Totals[Job]:
    """Make the files, several at a time; `progress` is called with every outcome.

    Masks within the limits are read, in processes of their own.

    An interrupted run leaves whole files only, and goes on where it stopped when it is started again.
    """
    executor: Executor[Job, bool]
    with ExitStack() as stack:
        if min(workers, len(jobs)) > 1:
            build = partial(_build, limits)
            executor = stack.enter_context(Processes(build, min(workers, len(jobs)), on_lost=on_lost))
        else:
            executor = Local(WriteFiles(stack.enter_context(isolated_reader(limits or FileLimits()))))
        return run_items(executor, jobs, progress=progress)


def _build(limits: FileLimits | None, _: Shard) -> WriteFiles:
    return WriteFiles(FileReader(limits or FileLimits(), IsolatedDecoder()))  # whose processes end with this one


def _save(labels: np.ndarray, target: Path) -> None:
    image = Image.fromarray(labels)
    with write_atomically(target) as temporary:
        image.save(temporary)
