"""Segmenting images into rows of a table, as a task of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedseg.engine.segment import Loaded, SegmentFiles
from feedseg.engine.task import Task
from feedseg.io.sources.base import Job
from feedseg.io.table import Row, row_of
from feedseg.segmentation import Segmentation


@dataclass(frozen=True)
class SegmentRows(Task[Job, Row]):
    """Reads an image, segments it as `SegmentFiles` does, and gives the result as a row.

    Files are written only where the output has writers; the row is the same with them and without.
    """

    files: SegmentFiles
    out: Path  # the folder of all files

    def load(self, item: Job) -> Loaded:
        """See `Task.load`."""
        return self.files.load(item)

    def process(self, loaded: Iterable[Loaded]) -> Iterator[tuple[Segmentation, str]]:
        """See `Task.process`."""
        return self.files.process(loaded)

    def finish(self, item: Job, processed: tuple[Segmentation, str]) -> Row:
        """See `Task.finish`."""
        output, (result, digest) = self.files.output, processed
        result = output.clean(result)
        if not output.writers:
            return row_of(result, item.image.key, digest)
        output.save(result, item.folder, item.stem, only_own=True)
        return row_of(result, item.image.key, digest, (item.folder / item.stem).relative_to(self.out).as_posix())


def without_machine(fingerprint: dict[str, Any], *kept: str) -> dict[str, Any]:
    """A fingerprint of what computers of several kinds make: without their device and number type, unless kept."""
    settings = fingerprint["settings"]
    dropped = {"device", "dtype"}.difference(kept)
    return fingerprint | {"settings": {name: value for name, value in settings.items() if name not in dropped}}
