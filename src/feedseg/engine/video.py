"""Segmenting videos into a folder: frame by frame in constant memory, and going on where a run was ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from feedseg.decode.steady import Steady
from feedseg.engine.contents import identity
from feedseg.engine.interrupts import interruptible_each
from feedseg.engine.kept import stamp
from feedseg.engine.outcomes import Done, Failed, Outcome, explain
from feedseg.engine.segment import Segmented
from feedseg.engine.video_parts import Parts
from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.output import Output
from feedseg.io.overlay import FrameOverlay
from feedseg.io.reading import HERE, FileReader
from feedseg.io.sources.base import Job
from feedseg.io.sources.videos import FoundVideo
from feedseg.io.video import Clip
from feedseg.io.video.labels import SUFFIX as LABELS
from feedseg.io.video.labels import join_labels, read_labels
from feedseg.io.video.overlay import SUFFIX as OVERLAY
from feedseg.io.video.overlay import OverlayVideo
from feedseg.io.video.record import SUFFIX as RECORD
from feedseg.io.video.record import VideoTotals, write_record
from feedseg.io.video.sequence import SUFFIX as SEQUENCE
from feedseg.io.video.sequence import write_sequence
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary

SUFFIXES = (LABELS, OVERLAY, RECORD, SEQUENCE)
FORMATS = ("labels", "overlay", "json")  # those of images that a video has, too
Tell = Callable[[Job, int, int | None], object]  # how many frames are finished, of how many


@dataclass(frozen=True)
class VideoOptions:
    """What is asked for of videos alone."""

    every: int = 1  # only every n-th frame is segmented, and its labels are held until the next
    steady: float | None = None  # see `feedseg.decode.steady.Steady`
    pngs: bool = False  # the labels as a ZIP file of PNGs, too

    def describe(self) -> dict[str, Any]:
        """As JSON, without what is as usual."""
        said: dict[str, Any] = {"every": self.every} if self.every > 1 else {}
        said |= {} if self.steady is None else {"steady": self.steady}
        return said | ({"pngs": True} if self.pngs else {})


@dataclass(frozen=True)
class SegmentVideos:
    """An executor that segments one video after the other and saves what comes of it."""

    segmenter: Segmenter
    vocabulary: Vocabulary
    output: Output
    folder: Path  # of the results
    of: Mapping[str, Any]  # all that the results depend on but the videos, as JSON
    options: VideoOptions = VideoOptions()
    refiners: Sequence[Any] = ()
    reader: FileReader = HERE  # of frames
    tell: Tell = lambda job, done, total: None

    def map(self, items: Sequence[Job]) -> Iterator[Outcome[Job, Segmented]]:
        """See `feedseg.engine.task.Executor`."""
        for job in items:
            try:
                self._check_formats(job)
                digest = job.image.digest()
                parts = Parts(self.folder, identity(job.image, self.folder), {**self.of, "video": digest})
                damage = self._segment(job, parts)
                outcome = Done(job, self._finish(job, digest, parts, damage))
            except Exception as error:
                yield Failed(job, explain(error))
            else:
                yield outcome
                parts.remove()  # once it is in the journal

    def _check_formats(self, job: Job) -> None:
        """Raises FeedsegError where something is asked for that a video does not have."""
        asked = (*self.output.writers, *self.output.exports)
        if others := [one.name for one in asked if one.name not in FORMATS]:
            raise FeedsegError(
                f"{job.name}: a video is saved as {', '.join(FORMATS)}, not as {', '.join(dict.fromkeys(others))}: "
                "give its --format apart, or save its frames as images"
            )
        if self.output.only_with or self.output.only_without:
            raise FeedsegError(f"{job.name}: --only-with and --only-without choose images, not videos: leave them out")

    def _segment(self, job: Job, parts: Parts) -> str | None:
        """Segment what no part has yet, and return why the file ends early, if it does."""
        with _video(job).clip(self.reader) as video:
            total = None if video.expected is None else -(-video.expected // self.options.every)
            self.tell(job, parts.done, total)
            steady = None if self.options.steady is None else Steady(self.options.steady)
            if steady is not None and (before := parts.average()) is not None:
                steady.average.values = torch.from_numpy(before).to(self.segmenter.device)
            results = self._results(job, video, parts.next_frame, steady, parts.done, total)
            while parts.write(results, None if steady is None else lambda: _array(steady)):
                pass
            return video.damage

    def _results(
        self, job: Job, video: Clip, start: int, steady: Steady | None, done: int, total: int | None
    ) -> Iterator[tuple[int, Fraction, Segmentation]]:
        taken: deque[tuple[int, Fraction]] = deque()

        def pixels() -> Iterator[np.ndarray]:
            for frame in video.frames(self.options.every, start):
                taken.append((frame.number, frame.time))
                yield frame.pixels

        refiners = self.refiners if steady is None else (steady, *self.refiners)
        results = self.segmenter.segment_many(pixels(), self.vocabulary, refiners=refiners)
        for count, result in enumerate(interruptible_each(results), done + 1):
            yield *taken.popleft(), self.output.clean(result)
            self.tell(job, count, total)

    def _finish(self, job: Job, digest: str, parts: Parts, damage: str | None) -> Segmented:
        """Join the parts, draw the overlay, write what there is to say; all files take their places together."""
        provenance = {
            "video": {"path": job.name, "damage": damage, **self.options.describe()},
            "models": self.segmenter.provenance(),
            "settings": self.segmenter.describe(refiners=self.refiners),
        }
        with ExitStack() as stack:
            (job_labels, joined), (_, record) = self._file(job, LABELS, stack), self._file(job, RECORD, stack)
            join_labels(parts.labels, joined)
            with closing(read_labels(joined)) as written:
                shape = next(written)[1].shape
            example = Segmentation(  # which has the colours that the results have
                labels=np.zeros(shape, np.uint8),
                confidence=np.zeros(shape, np.float32),
                image=np.zeros((*shape, 3), np.uint8),
                names=self.vocabulary.names,
                background=self.vocabulary.has_background,
                synonyms=self.vocabulary.words,
            )
            example = self.output.clean(example)
            totals = VideoTotals.of(example, parts.frames())
            about = write_record(record, totals, provenance, parts.frames)
            files = {"labels": job_labels, "frames": job.folder / f"{job.stem}{RECORD}"}
            if self.options.pngs:
                files["pngs"], sequence = self._file(job, SEQUENCE, stack)
                numbers = (int(one["frame"]) for one in parts.frames())
                with closing(read_labels(joined)) as written:
                    write_sequence(sequence, zip(numbers, (labels for _, labels in written), strict=True), example)
            if any(one.name == "overlay" for one in self.output.writers):
                files["overlay"], drawn = self._file(job, OVERLAY, stack)
                self._draw(job, joined, drawn, totals, _video(job).sound(self.reader, parts.sound))
        return Segmented(job, about, digest, files, {path: stamp(path) for path in files.values()})

    def _draw(self, job: Job, labels: Path, target: Path, totals: VideoTotals, sound: Path | None) -> None:
        """The overlay of all frames; of those that were not segmented with the last labels before."""
        source, example = _video(job), totals.example
        look = FrameOverlay(totals.areas, example.size, example.names, example.background, example.palette)
        shown: np.ndarray | None = None
        with (
            source.clip(self.reader) as video,
            OverlayVideo(target, video, sound) as out,
            closing(read_labels(labels)) as held,
        ):
            for frame in interruptible_each(video.frames()):
                if frame.number % self.options.every == 0:
                    shown = next(held)[1]
                assert shown is not None  # as frame 0 is always segmented
                out.add(look.draw(frame.pixels, shown), frame.ticks)

    @staticmethod
    def _file(job: Job, suffix: str, stack: ExitStack) -> tuple[Path, Path]:
        """A file of the results, and what to write it to until all are written."""
        path = job.folder / f"{job.stem}{suffix}"
        if path.is_dir():
            raise FeedsegError(f"cannot write {path}: it is a folder")
        return path, stack.enter_context(write_atomically(path))


def _video(job: Job) -> FoundVideo:
    if not isinstance(job.image, FoundVideo):
        raise TypeError(f"{job.name} is no video")
    return job.image


def _array(steady: Steady) -> np.ndarray:
    values = steady.average.values
    assert values is not None
    return values.cpu().numpy()
