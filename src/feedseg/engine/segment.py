"""Segmenting image files into a folder, as a task of the engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.engine.kept import Stamp, stamp
from feedseg.engine.task import Task
from feedseg.io.images import RgbImage
from feedseg.io.limits import FileLimits
from feedseg.io.output import Output
from feedseg.io.sources.base import Job
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from feedseg.io.isolated import IsolatedDecoder

Loaded = tuple[RgbImage, str]  # an image, and the SHA-256 of the bytes that it was decoded from


@dataclass(frozen=True)
class Segmented:
    """What came of an image."""

    job: Job
    about: Mapping[str, Any]  # see `feedseg.io.writers.json`
    image: str  # the SHA-256 of the image's bytes
    files: Mapping[str, Path]  # by format; none where the result is not wanted
    outputs: Mapping[Path, Stamp]  # all files that were written

    def told(self) -> dict[str, Any]:
        """All about the result, with its files' paths."""
        return {**self.about, "files": {name: str(path) for name, path in self.files.items()}}


@dataclass(frozen=True)
class SegmentFiles(Task[Job, Segmented]):
    """Reads an image, segments it, saves the results.

    Images go through the segmenter together where it batches.
    """

    segmenter: Segmenter
    vocabulary: Vocabulary
    output: Output
    refiners: Sequence[Any] = ()  # names or objects
    limits: FileLimits = field(default_factory=FileLimits)  # of an image; one beyond them is refused
    decoder: IsolatedDecoder | None = None  # see `Found.load`

    def load(self, item: Job) -> Loaded:
        """See `Task.load`."""
        return item.image.load(self.limits, self.decoder)

    def abandon(self) -> None:
        """See `Task.abandon`."""
        if self.decoder is not None:
            self.decoder.interrupt()

    def process(self, loaded: Iterable[Loaded]) -> Iterator[tuple[Segmentation, str]]:
        """See `Task.process`."""
        digests: deque[str] = deque()

        def images() -> Iterator[RgbImage]:
            for image, digest in loaded:
                digests.append(digest)
                yield image

        results = self.segmenter.segment_many(
            images(), self.vocabulary, refiners=self.refiners, scores=self.output.needs_scores
        )
        for result in results:
            yield result, digests.popleft()

    def finish(self, item: Job, processed: tuple[Segmentation, str]) -> Segmented:
        """See `Task.finish`."""
        result, digest = self.output.clean(processed[0]), processed[1]
        files = self.output.save(result, item.folder, item.stem)
        outputs = {path: stamp(path) for path in files or ()}
        return Segmented(item, result.to_dict(), digest, {} if files is None else files.by_format, outputs)


def fingerprint(
    segmenter: Segmenter, vocabulary: Vocabulary, output: Output, refiners: Sequence[Any] = ()
) -> dict[str, Any]:
    """All that results depend on but the image, as JSON: not where things are, nor how the work is divided."""
    settings = segmenter.describe(refiners=refiners)
    return {
        "words": {name: _on_one_line(value) for name, value in asdict(vocabulary).items()},
        "settings": settings | {"device": segmenter.device.type},
        # a folder's name says less than the hash of its content, which is its revision
        "models": {role: one["revision"] or one["name"] for role, one in segmenter.provenance().items()},
        "output": output.describe(),
        "version": version("feedseg"),
    }


def _on_one_line(words: Any) -> Any:
    """Classes and words as people write them."""
    if not isinstance(words, (tuple, list)):
        return words
    nested = any(isinstance(one, (tuple, list)) for one in words)
    return ", ".join("; ".join(one) for one in words) if nested else "; ".join(words)
