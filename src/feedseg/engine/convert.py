"""Saved results in other formats, as a task of the engine: no model is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from feedseg.engine.task import Task
from feedseg.io.output import Output
from feedseg.io.results import SavedResult, read_result
from feedseg.io.writers.json import WRITER as RECORD
from feedseg.io.writers.labels import WRITER as LABELS


@dataclass(frozen=True)
class ConvertFiles(Task[Path, Path | None]):
    """Reads a result from its JSON and saves it; the result is the JSON that the run's exports are made from.

    Beside the JSON itself the other formats are put without touching it or the labels. None where the output does not
    keep the result.
    """

    folder: Path  # that holds the results
    out: Path  # where they go, each as deep as it was
    output: Output

    def load(self, item: Path) -> SavedResult:
        """See `Task.load`."""
        return read_result(item)

    def process(self, loaded: Iterable[SavedResult]) -> Iterator[SavedResult]:
        """See `Task.process`."""
        yield from loaded

    def finish(self, item: Path, processed: SavedResult) -> Path | None:
        """See `Task.finish`."""
        target = self.out / item.relative_to(self.folder)
        stem = item.name.removesuffix(RECORD.suffix)
        if not (target.exists() and target.samefile(item)):
            files = self.output.save(processed, target.parent, stem, only_own=True)
            return None if files is None else files.by_format[RECORD.name]
        if not self.output.keeps(self.output.clean(processed)):
            return None
        others = tuple(writer for writer in self.output.writers if writer not in (LABELS, RECORD))
        if others:
            replace(self.output, writers=others).save(processed, target.parent, stem, only_own=True)
        return item
