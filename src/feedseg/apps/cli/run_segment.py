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
from feedseg.engine.apart import Apart
from feedseg.engine.contents import results_finder
from feedseg.engine.interrupts import Terminated, interruptible, interruptible_each, interrupts_held
from feedseg.engine.journal import key_of
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Outcome
from feedseg.engine.processes import Processes
from feedseg.engine.raster import SUFFIXES as RASTER_SUFFIXES
from feedseg.engine.raster import SegmentRasters
from feedseg.engine.results_folder import STEM, ResultsFolder, worker_lock
from feedseg.engine.run import SOME_FAILED, Totals, run
from feedseg.engine.segment import Segmented, SegmentFiles, fingerprint
from feedseg.engine.shards import Shard
from feedseg.engine.task import Executor
from feedseg.engine.video import SUFFIXES as VIDEO_SUFFIXES
from feedseg.engine.video import SegmentVideos, Tell, VideoOptions
from feedseg.errors import FeedsegError
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits
from feedseg.io.output import Output
from feedseg.io.raster.options import RasterOptions
from feedseg.io.reading import FileReader
from feedseg.io.sources.base import Job, Search
from feedseg.io.sources.find import Findings, find_images
from feedseg.io.sources.rasters import FoundRaster
from feedseg.io.sources.videos import FoundVideo
from feedseg.io.writers import suffixes
from feedseg.segmenter import Segmenter
from feedseg.vision.devices import device_of_worker
from feedseg.vision.memory import check_processes
from feedseg.vision.pace import Pace
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
    limits: FileLimits  # of an image
    videos: VideoOptions
    rasters: RasterOptions
    as_json: bool  # a line per image to stdout, and all that is for people to stderr
    give_up_after: float  # seconds that one of several processes may take for an image


def find(
    arguments: Sequence[str], *, allow_urls: bool, max_bytes: int, max_pixels: int, rasters: bool | None
) -> Findings:
    """The images that arguments lead to; see `Search`.

    Raises:
        FeedsegError: there are none.
    """
    search = Search(_endings(), results_finder(STEM), allow_urls, max_bytes, True, rasters, max_pixels)
    found = find_images(arguments, search)
    if not found.images:
        raise FeedsegError("; ".join([failure.reason for failure in found.failures] or ["there are no images"]))
    return found


def segment_files(request: SegmentRequest, found: Findings) -> int:
    """Make what is missing, say what came of it, and return the exit code."""
    with IsolatedDecoder() as decoder:
        decoder.start()  # while the model is loaded
        return _segment_files(request, found, decoder)


def _segment_files(request: SegmentRequest, found: Findings, decoder: IsolatedDecoder) -> int:
    segmenter = load_segmenter(request.model, request.loading, request.changes, request.speed)
    automatic, request = request.words.automatic, replace(request, words=segmenter.resolved(request.words))
    request.output.check_classes(request.words.names)
    if any(isinstance(image, FoundRaster) for image in found.images):
        fast = request.speed != "protocol" and segmenter.settings.window is None
        request = replace(request, rasters=replace(request.rasters, fast=fast))
    summary = SegmentSummary(request.words, request.as_json, automatic=automatic)
    started = time.monotonic()
    with interrupts_held(), ExitStack() as stack:
        bar = stack.enter_context(progress(visible=not (request.as_json and is_live(console()))))
        words = bar.add_task("words", total=None, visible=False)
        of_words = Pace("words", "take fewer of them, or fewer templates", tell=note_warning)

        def embedded(done: int, total: int) -> None:
            bar.update(words, completed=done, total=total, visible=True)
            of_words.done(done, total)

        with interruptible():
            segmenter.embed(request.words, embedded)
        bar.remove_task(words)
        folder = stack.enter_context(_claimed(request, segmenter, found))
        request.output.check_places(folder.folder)
        jobs = (request.shard or Shard()).of_items(folder.jobs)
        images = bar.add_task("images", total=len(jobs))
        for failure in found.failures:
            summary.fail(failure.input, failure.reason)
        executors = Executors(request, segmenter, decoder, folder.folder, stack, partial(_parts, bar))
        totals = _made(executors, folder, jobs, summary, lambda: bar.advance(images))
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
    kinds = {"videos": request.videos.describe(), "rasters": request.rasters.describe()}
    return of | {kind: options for kind, options in kinds.items() if options}


@dataclass(frozen=True)
class Executors:
    """What images, videos and rasters that are missing are made with."""

    request: SegmentRequest
    segmenter: Segmenter
    decoder: IsolatedDecoder
    folder: Path
    stack: ExitStack  # closes processes
    parts: Callable[[str], Tell]  # of what is made in parts, by what these are called

    def of(self, missing: Sequence[Job]) -> Executor[Job, Segmented]:
        """For images this process, or several, and then for videos and rasters this one."""
        videos, rasters = (sum(isinstance(job.image, kind) for job in missing) for kind in (FoundVideo, FoundRaster))
        executor = self._of_images(len(missing) - videos - rasters)
        request = self.request
        common = (self.segmenter, request.words, request.output, self.folder, _fingerprint(request, self.segmenter))
        reader = FileReader(request.limits, self.decoder)
        if videos:
            own = SegmentVideos(*common, request.videos, request.refiners, reader, self.parts("frames"))
            executor = Apart(executor, FoundVideo, own)
        if rasters:
            own = SegmentRasters(*common, request.rasters, request.refiners, self.parts("bands"), reader)
            executor = Apart(executor, FoundRaster, own)
        return executor

    def _of_images(self, missing: int) -> Executor[Job, Segmented]:
        request = self.request
        processes = min(request.shards, missing)
        if processes <= 1:
            return Local(_task(request, self.segmenter, self.decoder), request.workers)
        check_processes(processes, self.segmenter.encoder.tower)
        build = partial(build_worker, request, self.folder, max(1, torch.get_num_threads() // processes))
        return self.stack.enter_context(Processes(build, processes, request.workers, complain, request.give_up_after))


def _task(request: SegmentRequest, segmenter: Segmenter, decoder: IsolatedDecoder) -> SegmentFiles:
    return SegmentFiles(segmenter, request.words, request.output, request.refiners, request.limits, decoder)


def _made(
    executors: Executors,
    folder: ResultsFolder,
    jobs: Sequence[Job],
    summary: SegmentSummary,
    advance: Callable[[], object],
) -> Totals[Job]:
    """Tell what stands, and make the rest."""
    request = executors.request
    current: set[str] = set()
    try:
        for job, kept in interruptible_each([] if request.overwrite else folder.standing(jobs, request.workers)):
            current.add(key_of(folder.identify(job)))
            summary.add_standing(kept.told(folder.folder))
            advance()
    except KeyboardInterrupt as stop:
        return Totals(len(jobs), len(current), interrupted=True, terminated=isinstance(stop, Terminated))

    missing = [job for job in jobs if key_of(folder.identify(job)) not in current]
    pace = Pace("images", sure=10.0, tell=note_warning)

    def tell(outcome: Outcome[Job, Segmented]) -> None:
        nonlocal told
        told += 1
        summary.add(outcome)
        advance()
        pace.done(told, len(missing))

    told = 0
    return run(executors.of(missing), jobs, folder.recording(current, request.shard), tell)


def _parts(bar: Progress, what: str) -> Tell:
    """Shows how many frames there are of a video, or bands of a raster."""
    shown: dict[str, TaskID] = {}

    def tell(job: Job, done: int, total: int | None) -> None:
        if job.name not in shown:
            for task in shown.values():
                bar.remove_task(task)
            shown.clear()
            shown[job.name] = bar.add_task(what, total=total, completed=done)
        bar.update(shown[job.name], completed=done)

    return tell


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
    return _task(request, segmenter, IsolatedDecoder())  # whose processes end with this one


def _endings() -> tuple[str, ...]:
    """Of the names of results, in lower case."""
    return tuple(ending.lower() for ending in (*suffixes(), *VIDEO_SUFFIXES, *RASTER_SUFFIXES))
