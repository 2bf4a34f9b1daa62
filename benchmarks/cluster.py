"""Images a second on a Ray cluster of this computer, against a plain loop, in turns; and what the driver holds.

    python benchmarks/cluster.py [--model photo] [--images 12] [--rounds 3] [--workers 1 2] [--json FILE]

The loop has the segmenter in this process, with one thread, and makes the same rows. Workers have a processor each, so
one thread, and are started and warm before the clock runs. In every round come the loop and each number of workers.
What the driver takes is measured apart: its processor's time for a row, and its memory for an image that waits.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

from feedseg import Segmenter, Vocabulary
from feedseg.engine.cluster import Cluster
from feedseg.engine.cluster_connection import Slice, joined
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Done
from feedseg.engine.parts import Parts
from feedseg.engine.rows import SegmentRows
from feedseg.engine.segment import SegmentFiles
from feedseg.engine.shards import Shard
from feedseg.engine.task import Executor, Task
from feedseg.evaluation.scenes import draw_scene
from feedseg.io.output import Output
from feedseg.io.sources.base import Found, Job
from feedseg.io.store import FolderStore
from feedseg.io.table import Row, encoded

WORDS = ("striped", "dotted", "bricks", "red", "blue", "water")
SIZE = 480  # pixels along a side
ANSWERS = 3000  # rows that the driver's time is measured with
WAITING = 100_000  # images whose memory is measured


def draw(folder: Path, number: int) -> list[Job]:
    """Scenes as files."""
    jobs = []
    for seed in range(number):
        path = folder / f"{seed:04d}.jpg"
        Image.fromarray(draw_scene(seed, SIZE).image).save(path, quality=90)
        jobs.append(Job(Found(path, PurePath(path.name), folder.name), Path(), ""))
    return jobs


def build(model: str, shard: Shard) -> SegmentRows:
    """The task of a worker, and of the loop."""
    torch.set_num_threads(1)
    segmenter, vocabulary = Segmenter.load(model), Vocabulary(list(WORDS), background="auto")
    segmenter.embed(vocabulary)
    return SegmentRows(SegmentFiles(segmenter, vocabulary, Output(())), Path())


def seconds_of(executor: Executor[Job, Any], jobs: Sequence[Job]) -> float:
    """How long all of them take."""
    start = time.perf_counter()
    outcomes = list(executor.map(jobs))
    assert sum(isinstance(one, Done) for one in outcomes) == len(jobs), outcomes
    return time.perf_counter() - start


def throughput(model: str, jobs: Sequence[Job], rounds: int, workers: Sequence[int]) -> dict[str, list[float]]:
    """Seconds an image in every round, of the loop and of each number of workers."""
    found: dict[str, list[float]] = {"loop": [], **{f"{number} workers": [] for number in workers}}
    loop = Local(build(model, Shard()), 2)
    seconds_of(loop, jobs[:1])
    with joined():
        for _ in range(rounds):
            found["loop"].append(seconds_of(loop, jobs) / len(jobs))
            print(f"loop: {found['loop'][-1]:.3f} s an image", flush=True)
            for number in workers:
                with Cluster(partial(build, model), number, Slice(1), threads=2) as cluster:
                    seconds_of(cluster, list(jobs[:2]) * number)
                    found[f"{number} workers"].append(seconds_of(cluster, jobs) / len(jobs))
                print(f"{number} workers: {found[f'{number} workers'][-1]:.3f} s an image", flush=True)
    return found


class Ready(Task[int, Any]):
    """Has a result at once."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def process(self, loaded: Iterable[int]) -> Iterator[Row]:
        for _ in loaded:
            yield self.row


def driver_seconds(row: Row) -> float:
    """Of the driver's processor for a row, from its worker into a part."""
    with joined(), Cluster(lambda shard: Ready(row), 1) as cluster, TemporaryDirectory() as folder:
        list(cluster.map(range(100)))
        with Parts.claim(FolderStore(Path(folder)), {}) as parts:
            start, number = time.process_time(), -1
            for number, outcome in enumerate(cluster.map(range(ANSWERS))):
                assert isinstance(outcome, Done)
                parts.add({**outcome.result, "key": f"{number}"})
            parts.flush()
            assert number + 1 == ANSWERS
            return (time.process_time() - start) / ANSWERS


def waiting_bytes(make: Callable[[int], Job]) -> float:
    """Of memory for an image in the driver's list."""
    tracemalloc.start()
    jobs = [make(number) for number in range(WAITING)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(jobs)


def named(number: int) -> Job:
    """An image with a name such as those of large collections."""
    inside = PurePath(f"{number // 1000:06d}/{number:012d}.jpg")
    image = Found(Path("/data/collection") / inside, inside, "collection")
    assert image.key
    return Job(image, Path(), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        jobs = draw(Path(folder), options.images)
        times = throughput(options.model, jobs, options.rounds, options.workers)
        rows = [one.result for one in Local(build(options.model, Shard())).map(jobs) if isinstance(one, Done)]
    found = {
        "model": options.model,
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "seconds": times,
        "row_bytes": (len(encoded(rows)) - len(encoded(rows[:1]))) / (len(rows) - 1),  # beside what all have in common
        "driver_seconds": driver_seconds(rows[0]),
        "waiting_bytes": waiting_bytes(named),
    }
    for name, each in times.items():
        pace = median(loop / one for loop, one in zip(times["loop"], each, strict=True))
        spread = f"{min(each):.3f} to {max(each):.3f}"
        print(f"{name}: {median(each):.3f} s an image ({spread}), {pace:.2f} times the loop's pace")
    print(
        f"a row: {found['row_bytes']:.0f} bytes, and {found['driver_seconds'] * 1e3:.2f} ms of the driver's processor"
    )
    print(f"an image that waits: {found['waiting_bytes']:.0f} bytes of the driver's memory")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
