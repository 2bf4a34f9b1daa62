"""Segmenting image files into a folder, as a task of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from feedseg.engine.task import Task
from feedseg.io.images import RgbImage
from feedseg.io.output import Output
from feedseg.io.sources.base import Job
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class SegmentFiles(Task[Job, dict[str, Any]]):
    """Reads an image, segments it, saves the results; the result of an image is its JSON with the files' paths.

    Images go through the segmenter together where it batches.
    """

    segmenter: Segmenter
    vocabulary: Vocabulary
    output: Output
    refiners: Sequence[Any] = ()  # names or objects

    def load(self, item: Job) -> RgbImage:
        """See `Task.load`."""
        return item.read()

    def process(self, loaded: Iterable[RgbImage]) -> Iterator[Segmentation]:
        """See `Task.process`."""
        return self.segmenter.segment_many(loaded, self.vocabulary, refiners=self.refiners)

    def finish(self, item: Job, processed: Segmentation) -> dict[str, Any]:
        """See `Task.finish`."""
        result = self.output.clean(processed)
        files = self.output.save(result, item.folder, item.stem)
        paths = {} if files is None else files.by_format
        return {**result.to_dict(), "files": {name: str(path) for name, path in paths.items()}}
