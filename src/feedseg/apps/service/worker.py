"""The one thread that computes: it takes what waits together, encodes what is new, and answers each with its own words.

Why not LitServe: it batches too, but for one fixed model, and it starts its processes itself. What is wanted here is a
batch of one model and host out of several, a cache between batches, and a place that is freed when a client goes away.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread

from feedseg.apps.limits import Limits
from feedseg.apps.service.kept import EncodedImages
from feedseg.apps.service.measured import Metrics
from feedseg.apps.service.pool import Pool
from feedseg.apps.service.refused import RefusedError
from feedseg.engine.outcomes import explain, memory_advice
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage
from feedseg.segmentation import Segmentation
from feedseg.segmenter import EncodedImage, Segmenter
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Timing:
    """Seconds of a request's parts."""

    waited: float
    encoded: float  # of the batch that it was encoded with; 0 where the image was kept
    segmented: float
    was_kept: bool


@dataclass(frozen=True)
class Answered:
    """A request's result."""

    result: Segmentation
    timing: Timing
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Job:
    """A request on its way."""

    image: RgbImage
    digest: str  # of the image's bytes
    words: Vocabulary
    model: str
    host: str
    feedback: str
    refiners: tuple[str, ...]
    deadline: float  # by `time.monotonic`
    arrived: float = field(default_factory=time.monotonic)
    future: Future[Answered] = field(default_factory=Future)

    @property
    def kind(self) -> Hashable:
        """What jobs of one batch have in common."""
        return self.model, self.host

    @property
    def key(self) -> Hashable:
        """Whose encoded image it may share."""
        return self.digest, self.model, self.host


class Worker:
    """A queue and its thread. A job is done when its future is; one that is cancelled before its turn costs nothing."""

    def __init__(self, pool: Pool, images: EncodedImages, limits: Limits, metrics: Metrics) -> None:
        self._pool, self._images, self._limits, self._metrics = pool, images, limits, metrics
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._ending = False
        self._thread: Thread | None = None

    def start(self, first: Callable[[Pool], None]) -> None:
        """Start the thread, which does `first` before it takes any job."""
        self._ending = False
        self._thread = Thread(target=self._run, args=(first,), name="feedseg-worker", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises RefusedError at the end of the service."""
        with self._changed:
            if self._ending:
                raise RefusedError(503, "the service is ending")
            self._jobs.append(job)
            self._changed.notify()

    def end(self) -> None:
        """Do what was accepted, and end the thread."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self, first: Callable[[Pool], None]) -> None:
        first(self._pool)
        while batch := self._next():
            self._metrics.batch.observe(len(batch))
            self._answer_all(batch)
            self._metrics.cache.set(self._images.bytes)

    def _answer_all(self, batch: list[Job]) -> None:
        """Answer jobs of one model and host, whatever happens."""
        try:
            segmenter = self._pool.segmenter(batch[0].model, batch[0].host)
            # Where windows go one at a time, as on a CPU, images would only wait for each other.
            if segmenter.batch_size == 1 and len(batch) > 1:
                for job in batch:
                    self._answer_all([job])
            else:
                self._answer(segmenter, batch)
        except Exception as error:  # a defect, or a lack of memory: the service goes on
            if memory_advice(error):
                self._images.clear()
            left = [job for job in batch if not job.future.done()]
            for job in left:
                if len(batch) > 1:  # one of them may be the cause
                    self._answer_all([job])
                else:
                    job.future.set_exception(failure(error))

    def _next(self) -> list[Job]:
        """The jobs that wait longest of one model and host, those left out whose client is gone; none at the end."""
        while True:
            with self._changed:
                while not self._jobs and not self._ending:
                    self._changed.wait()
                if not self._jobs:
                    return []
                kind = self._jobs[0].kind
                taken = [job for job in self._jobs if job.kind == kind][: self._limits.batch]
                self._jobs = deque(job for job in self._jobs if job not in taken)
            if batch := [job for job in taken if self._is_wanted(job)]:
                return batch

    def _is_wanted(self, job: Job) -> bool:
        wanted = job.future.set_running_or_notify_cancel()  # from here on it cannot be cancelled any more
        if wanted and time.monotonic() > job.deadline:
            job.future.set_exception(RefusedError(504, f"no answer within {self._limits.seconds:g} s"))
            wanted = False
        self._metrics.abandoned.inc(not wanted)
        return wanted

    def _answer(self, segmenter: Segmenter, batch: list[Job]) -> None:
        started = time.monotonic()
        found = {job.key: self._images.get(job.key) for job in batch}
        kept = {key for key, image in found.items() if image is not None}
        new = {job.key: job.image for job in batch if job.key not in kept}
        found |= dict(zip(new, segmenter.encode_many(list(new.values())), strict=True)) if new else {}
        seconds = time.monotonic() - started
        for job in batch:
            self._metrics.encoded.labels(str(job.key in kept).lower()).inc()
            image = found[job.key]
            assert image is not None
            if job.key in new:
                self._images.put(job.key, image)
            try:
                waited = started - job.arrived
                job.future.set_result(_segmented(job, segmenter, image, waited, 0.0 if job.key in kept else seconds))
            except Exception as error:
                job.future.set_exception(failure(error))


def _segmented(job: Job, segmenter: Segmenter, image: EncodedImage, waited: float, encoded: float) -> Answered:
    started = time.monotonic()
    result = image.segment(job.words, feedback=job.feedback, refiners=job.refiners)
    notes = tuple(map(str, segmenter.unfamiliar(job.words)))
    timing = Timing(waited, encoded, time.monotonic() - started, was_kept=not encoded)
    return Answered(result, timing, notes)


def failure(error: Exception) -> RefusedError:
    """What a request gets whose computation failed: what it asked for, a lack of memory, or a defect, in one line.

    Of a defect a client learns the kind alone, and the log what it says.
    """
    if isinstance(error, RefusedError):
        return error
    if isinstance(error, FeedsegError):
        return RefusedError(422, str(error))
    if memory_advice(error):
        return RefusedError(503, "out of memory: try a smaller image, or later")
    logging.getLogger("uvicorn.error").error(explain(error))  # with FEEDSEG_DEBUG there is its traceback, too
    return RefusedError(500, f"unexpected {type(error).__name__}")
