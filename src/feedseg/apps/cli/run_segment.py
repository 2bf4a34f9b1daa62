"""The run of `feedseg segment`: what is found, what is current, what is made, what is said."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from rich.progress import Progress, TaskID

from feedseg.apps.cli.console import complain, console, is_live, note_warning, progress
from feedseg.apps.cli.loading import load_segmenter
from feedseg.apps.cli.render_segment import SegmentSummary, described
from feedseg.engine.contents import results_finder
from feedseg.engine.interrupts import Terminated, interruptible, interruptible_each, interrupts_held
from feedseg.engine.journal import key_of
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Outcome
from feedseg.engine.processes import Processes
from feedseg.engine.results_folder import STEM, ResultsFolder, worker_lock
from feedseg.engine.run import SOME_FAILED, Totals, run
from feedseg.engine.segment import Segmented, SegmentFiles, fingerprint
from feedseg.engine.shards import Shard
from feedseg.engine.task import Executor
from feedseg.engine.video import SUFFIXES as VIDEO_SUFFIXES
from feedseg.engine.video import ImagesThenVideos, SegmentVideos, Tell, VideoOptions
from feedseg.errors import FeedsegError
from feedseg.io.output import Output
from feedseg.io.sources.base import Job, Search
from feedseg.io.sources.find import Findings, find_images
from feedseg.io.sources.videos import FoundVideo
from feedseg.io.writers import suffixes
from feedseg.segmenter import Segmenter
from feedseg.vision.devices import device_of_worker
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class SegmentRequest:
    """What is asked for, beside the images; it can be sent to other processes."""

    words: Vocabulary
    output: Output
    refiners: tuple[Any, ...]  # names or objects
    model: str
    loading: Mapping[str, Any]  # options of `Segmenter.load`
    changes: Mapping[str, Any]  # of the host's settings
    speed: str
    out: Path | None  # None for the default folder
    overwrite: bool
    workers: int  # threads that read and write beside the model
    shards: int  # processes
    shard: Shard | None  # which part of the work is wanted
    max_pixels: int
    videos: VideoOptions
    as_json: bool  # a line per image to stdout, and all that is for people to stderr


def find(arguments: Sequence[str], *, allow_urls: bool, max_bytes: int) -> Findings:
    """The images that arguments lead to.

    Raises:
        FeedsegError: there are none.
    """
    found = find_images(arguments, Search(_endings(), results_finder(STEM), allow_urls, max_bytes, videos=True))
    if not found.images:
        raise FeedsegError("; ".join([failure.reason for failure in found.failures] or ["there are no images"]))
    return found


def segment_files(request: SegmentRequest, found: Findings) -> int:
    """Make what is missing, say what came of it, and return the exit code."""
    segmenter = load_segmenter(request.model, request.loading, request.changes, request.speed)
    automatic, request = request.words.automatic, replace(request, words=segmenter.resolved(request.words))
    request.output.check_classes(request.words.names)
    summary = SegmentSummary(request.words, request.as_json, automatic=automatic)
    started = time.monotonic()
    with interrupts_held(), ExitStack() as stack:
        bar = stack.enter_context(progress(visible=not (request.as_json and is_live(console()))))
        words = bar.add_task("words", total=None, visible=False)
        with interruptible():
            segmenter.embed(
                request.words, lambda done, total: bar.update(words, completed=done, total=total, visible=True)
            )
        bar.remove_task(words)
        folder = stack.enter_context(_claimed(request, segmenter, found))
        request.output.check_places(folder.folder)
        jobs = (request.shard or Shard()).of_items(folder.jobs)
        images = bar.add_task("images", total=len(jobs))
        for failure in found.failures:
            summary.fail(failure.input, failure.reason)
        totals = _made(request, segmenter, folder, jobs, summary, stack, lambda: bar.advance(images), _frames(bar))
        exports, unwritten = {}, None
        if not totals.stopped:
            try:
                exports = folder.export(request.output, request.shard)
            except FeedsegError as error:
                unwritten = str(error)
    seconds = time.monotonic() - started
    summary.show(described(segmenter), folder.folder, seconds, found.skipped, exports)
    summary.stopped(totals)
    if unwritten is not None:
        complain(unwritten)
    return totals.exit_code or (SOME_FAILED if found.failures or unwritten or summary.damaged else 0)


def _claimed(request: SegmentRequest, segmenter: Segmenter, found: Findings) -> ResultsFolder:
    of = _fingerprint(request, segmenter)
    endings = _endings()
    if request.out is None:
        return ResultsFolder.claim_default(of, found.images, endings, overwrite=request.overwrite)
    return ResultsFolder.claim(request.out, of, found.images, endings, request.shard, overwrite=request.overwrite)


def _fingerprint(request: SegmentRequest, segmenter: Segmenter) -> dict[str, Any]:
    of = fingerprint(segmenter, request.words, request.output, request.refiners)
    return of | ({"videos": videos} if (videos := request.videos.describe()) else {})


def _made(
    request: SegmentRequest,
    segmenter: Segmenter,
    folder: ResultsFolder,
    jobs: Sequence[Job],
    summary: SegmentSummary,
    stack: ExitStack,
    advance: Callable[[], object],
    frames: Tell,
) -> Totals[Job]:
    """Tell what stands, and make the rest."""
    current: set[str] = set()
    try:
        for job, kept in interruptible_each([] if request.overwrite else folder.standing(jobs, request.workers)):
            current.add(key_of(folder.identify(job)))
            summary.add_standing(kept.told(folder.folder))
            advance()
    except KeyboardInterrupt as stop:
        return Totals(len(jobs), len(current), interrupted=True, terminated=isinstance(stop, Terminated))

    def tell(outcome: Outcome[Job, Segmented]) -> None:
        summary.add(outcome)
        advance()

    missing = [job for job in jobs if key_of(folder.identify(job)) not in current]
    executor = _executor(request, segmenter, folder.folder, missing, stack, frames)
    return run(executor, jobs, folder.recording(current, request.shard), tell)


def _executor(
    request: SegmentRequest,
    segmenter: Segmenter,
    folder: Path,
    missing: Sequence[Job],
    stack: ExitStack,
    frames: Tell,
) -> Executor[Job, Segmented]:
    """Images in this process, or in several that `stack` closes, and then videos in this one."""
    videos = sum(isinstance(job.image, FoundVideo) for job in missing)
    images = _image_executor(request, segmenter, folder, len(missing) - videos, stack)
    if not videos:
        return images
    of = _fingerprint(request, segmenter)
    return ImagesThenVideos(
        images,
        SegmentVideos(
            segmenter,
            request.words,
            request.output,
            folder,
            of,
            request.videos,
            request.refiners,
            request.max_pixels,
            frames,
        ),
    )


def _frames(bar: Progress) -> Tell:
    """Shows how far a video is."""
    shown: dict[str, TaskID] = {}

    def tell(job: Job, done: int, total: int | None) -> None:
        if job.name not in shown:
            for task in shown.values():
                bar.remove_task(task)
            shown.clear()
            shown[job.name] = bar.add_task("frames", total=total, completed=done)
        bar.update(shown[job.name], completed=done)

    return tell


def _image_executor(
    request: SegmentRequest, segmenter: Segmenter, folder: Path, missing: int, stack: ExitStack
) -> Executor[Job, Segmented]:
    """This process, or several that `stack` closes."""
    processes = min(request.shards, missing)
    if processes <= 1:
        task = SegmentFiles(segmenter, request.words, request.output, request.refiners, request.max_pixels)
        return Local(task, request.workers)
    build = partial(build_worker, request, folder, max(1, torch.get_num_threads() // processes))
    return stack.enter_context(Processes(build, processes, request.workers, complain))


_HELD: list[FileLock] = []  # by this process until it ends


def build_worker(request: SegmentRequest, folder: Path, threads: int, shard: Shard) -> SegmentFiles:
    """The task of one of several processes, made inside it."""
    torch.set_num_threads(threads)
    lock = worker_lock(folder, shard)
    lock.acquire()
    _HELD.append(lock)
    device = device_of_worker(request.loading["device"], shard.number)
    loading = {**request.loading, "device": device}
    segmenter = load_segmenter(request.model, loading, request.changes, request.speed, visible=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is to say of the words was said
        segmenter.embed(request.words)
    warnings.showwarning = note_warning
    return SegmentFiles(segmenter, request.words, request.output, request.refiners, request.max_pixels)


def _endings() -> tuple[str, ...]:
    """Of the names of results, in lower case."""
    return tuple(ending.lower() for ending in (*suffixes(), *VIDEO_SUFFIXES))
