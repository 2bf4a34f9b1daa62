"""The run of `feedseg batch`: what is found, what the table lacks, what the cluster makes, what is said."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from feedseg.apps.cli.console import complain, note_warning, progress
from feedseg.apps.cli.loading import load_segmenter
from feedseg.apps.cli.render_batch import BatchSummary
from feedseg.apps.cli.render_segment import described
from feedseg.engine.cluster import Wanted, cluster_for
from feedseg.engine.interrupts import Terminated, interruptible, interrupts_held
from feedseg.engine.outcomes import Done, Outcome
from feedseg.engine.parts import Parts
from feedseg.engine.results_folder import journals_of
from feedseg.engine.rows import SegmentRows, without_machine
from feedseg.engine.run import SOME_FAILED, Totals, run
from feedseg.engine.segment import SegmentFiles, fingerprint
from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits
from feedseg.io.output import Output
from feedseg.io.sources.base import Job, Search
from feedseg.io.sources.find import Findings, find_images
from feedseg.io.sources.stems import distinct_stems
from feedseg.io.store import FolderStore, Store, store_at
from feedseg.io.table import Row
from feedseg.io.writers import suffixes
from feedseg.io.writers.json import WRITER as RECORD
from feedseg.vocabulary import Vocabulary

FAILURES = "_failed.jsonl"  # in the destination: the images without a row, and why


@dataclass(frozen=True)
class BatchRequest:
    """What is asked for, beside the images; it is sent to the workers."""

    words: Vocabulary
    output: Output  # without writers where only the table is wanted
    refiners: tuple[Any, ...]  # names or objects
    model: str
    loading: Mapping[str, Any]  # options of `Segmenter.load`
    changes: Mapping[str, Any]  # of the host's settings
    speed: str
    out: str  # a folder or an address
    overwrite: bool
    rows: int  # of a part
    cluster: Wanted
    readers: int  # threads that read ahead
    limits: FileLimits  # of an image
    give_up_after: float  # seconds that a worker may take for an image


def find(arguments: Sequence[str], *, allow_urls: bool, limits: FileLimits) -> Findings:
    """The images that arguments lead to. Raises FeedsegError where there are none."""
    endings = tuple(ending.lower() for ending in suffixes())
    found = find_images(arguments, Search(endings, allow_urls=allow_urls, max_bytes=limits.bytes, stored=True))
    if not found.images:
        raise FeedsegError("; ".join([failure.reason for failure in found.failures] or ["there are no images"]))
    return found


def run_batch(request: BatchRequest, found: Findings) -> int:
    """Make the rows that the table lacks, say what came of it, and return the exit code."""
    store = store_at(request.out)
    if isinstance(store, FolderStore) and journals_of(store.folder).files:
        raise FeedsegError(f"{store.name} holds results of feedseg segment: give another --out")
    segmenter = load_segmenter(request.model, request.loading, request.changes, request.speed)
    automatic, request = request.words.automatic, replace(request, words=segmenter.resolved(request.words))
    started = time.monotonic()
    summary = BatchSummary(request.words, automatic=automatic)
    with interrupts_held(), ExitStack() as stack:
        bar = stack.enter_context(progress(visible=True))
        with interruptible():
            segmenter.embed(request.words)
            of = fingerprint(segmenter, request.words, request.output, request.refiners)
            given = [name for name in ("device", "dtype") if request.loading[name] is not None]
            parts = stack.enter_context(
                Parts.claim(store, without_machine(of, *given), overwrite=request.overwrite, rows=request.rows)
            )
            jobs = _jobs(request, found, parts)
        missing = [job for job in jobs if job.image.key not in parts]
        for failure in found.failures:
            summary.fail(failure.input, failure.reason)
        images = bar.add_task("images", total=len(jobs), completed=len(jobs) - len(missing))

        def tell(outcome: Outcome[Job, Row]) -> None:
            if isinstance(outcome, Done):
                parts.add(outcome.result)
            summary.add(outcome)
            bar.advance(images)

        totals = _made(request, missing, tell) if missing else Totals()
        totals.wanted, totals.skipped = len(jobs), len(jobs) - len(missing)
        exports: Mapping[str, Path] = {}
        try:
            parts.flush()
            _write_failures(store, summary.failures)
            if not totals.stopped and request.output.exports:
                exports = _exported(request, jobs, parts)
        except FeedsegError as error:
            totals.error = totals.error or str(error)
    summary.show(described(segmenter), store.name, time.monotonic() - started, totals, parts.written, found.skipped)
    summary.exported(exports)
    summary.stopped(totals)
    return totals.exit_code or (SOME_FAILED if found.failures else 0)


def _made(request: BatchRequest, missing: Sequence[Job], tell: Any) -> Totals[Job]:
    """What the cluster makes of the images; an interrupt while it is joined is one of the run."""
    with ExitStack() as stack:
        try:
            with interruptible():
                build = partial(partial, build_worker, request)
                of = request.cluster, build, len(missing), request.readers, stack, complain, request.give_up_after
                cluster = cluster_for(*of)
        except KeyboardInterrupt as stop:
            return Totals(len(missing), interrupted=True, terminated=isinstance(stop, Terminated))
        return run(cluster, missing, progress=tell)


def _jobs(request: BatchRequest, found: Findings, parts: Parts) -> list[Job]:
    """The images, with places for their files where other formats than the table are asked for."""
    if not request.output.writers:
        nowhere = Path()
        return [Job(image, nowhere, "") for image in found.images]
    endings = tuple(ending.lower() for ending in suffixes())
    return distinct_stems(found.images, Path(request.out), endings, parts.stems)


def _exported(request: BatchRequest, jobs: Sequence[Job], parts: Parts) -> Mapping[str, Path]:
    """Write what is one file for all results, from those that are there."""
    made = [job for job in jobs if job.image.key in parts]
    records = [job.folder / f"{job.stem}{RECORD.suffix}" for job in made]
    return request.output.export(Path(request.out), records)


def _write_failures(store: Store, failures: Sequence[tuple[str, str]]) -> None:
    """Have the destination say which images have no row; nothing where all have."""
    lines = [json.dumps({"image": image, "error": reason}) + "\n" for image, reason in failures]
    if lines:
        store.write(FAILURES, "".join(lines).encode())
    else:
        store.remove(FAILURES)


def build_worker(request: BatchRequest, threads: int, shard: Shard) -> SegmentRows:
    """The task of a worker, made inside it."""
    torch.set_num_threads(threads)
    segmenter = load_segmenter(request.model, request.loading, request.changes, request.speed, visible=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is to say of the words was said
        segmenter.embed(request.words)
    warnings.showwarning = note_warning
    files = SegmentFiles(segmenter, request.words, request.output, request.refiners, request.limits, IsolatedDecoder())
    return SegmentRows(files, Path(request.out))
