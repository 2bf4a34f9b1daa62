"""What the journals of a folder of results say of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path

from feedseg.engine.journal import JournalFolder, Record, damaged
from feedseg.engine.kept import Kept, Stamp, check_below, is_as_written, stamp
from feedseg.io.sources.base import STATE, Found

# Items that are no images: how images are called, and what is one file for all of them.
NAMES, EXPORTS = {"names": True}, {"exports": True}


@dataclass(frozen=True)
class Exported:
    """Files that hold something of all results."""

    of: str = ""  # which results, a digest
    outputs: Mapping[str, Stamp] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # by format

    def stands(self, folder: Path, results: Mapping[str, Stamp]) -> bool:
        """Whether they are of these results, and as they were written."""
        return self.of == _digest(results) and all(
            is_as_written(folder / path, one) for path, one in self.outputs.items()
        )

    def record(self) -> Record:
        """As a journal's line."""
        outputs = {path: list(one) for path, one in self.outputs.items()}
        return Record(EXPORTS, {"of": self.of, "outputs": outputs, "files": dict(self.files)})


@dataclass
class Contents:
    """Results, names and exports of a folder."""

    kept: dict[str, Kept] = field(default_factory=dict)  # by image
    names: dict[str, str] = field(default_factory=dict)  # stems by image, also of those that have no result yet
    exported: Exported = field(default_factory=Exported)

    @classmethod
    def read(cls, journals: JournalFolder) -> Contents:
        """What all journals say, the last line about an image counting.

        Raises:
            FeedsegError: a journal is damaged or cannot be read.
        """
        found = cls()
        for path, record in journals.records():
            try:
                found.add(record)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                raise damaged(path) from error
        return found

    def add(self, record: Record) -> None:
        """What one line says."""
        result = record.result
        if result is None:
            return
        if record.item == NAMES:
            for stem in result.values():
                check_below(stem)
            self.names.update(result)
        elif record.item == EXPORTS:
            outputs = {path: (int(size), str(digest)) for path, (size, digest) in result["outputs"].items()}
            for path in (*outputs, *result["files"].values()):
                check_below(path)
            self.exported = Exported(str(result["of"]), outputs, result["files"])
        elif not isinstance(record.item, str):
            raise TypeError("an image is told by its path")
        elif "moved" in result:
            self.kept.pop(record.item, None)
            self.names.pop(record.item, None)
        else:
            self.kept[record.item] = one = Kept.from_json(result)
            self.names[record.item] = one.stem

    def outputs(self) -> Iterator[tuple[str, Stamp]]:
        """Every file that was written, by its path below the folder."""
        for one in self.kept.values():
            yield from one.outputs.items()
        yield from self.exported.outputs.items()

    def exports_of(self, folder: Path, results: Mapping[str, Stamp], made: Mapping[str, Path]) -> Exported:
        """What to note of files that were made of results."""
        files = {name: path.relative_to(folder).as_posix() for name, path in made.items()}
        return Exported(_digest(results), {path: stamp(folder / path) for path in files.values()}, files)


def identity(image: Found, folder: Path) -> str:
    """What tells an image from all others: its path seen from the folder, so that both may be moved together."""
    if not Path(image.key).is_absolute():
        return image.key
    try:
        return Path(os.path.relpath(image.key, folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return Path(image.key).as_posix()


def results_finder(stem: str) -> Callable[[Path], Container[str]]:
    """A function that gives the names of the results in a folder, which may lie deep in a folder of results."""

    @cache
    def outputs(home: Path) -> Mapping[Path, set[str]]:
        journals = JournalFolder(home / STATE, stem)
        found: dict[Path, set[str]] = {}
        for path, _ in Contents.read(journals).outputs() if journals.files else ():
            found.setdefault((home / path).parent, set()).add((home / path).name)
        return found

    @lru_cache(maxsize=4)
    def names(folder: Path) -> Container[str]:
        real = folder.resolve()
        return {name for home in (real, *real.parents) for name in outputs(home).get(real, ())}

    return names


def _digest(results: Mapping[str, Stamp]) -> str:
    return sha256(json.dumps(sorted(results.items())).encode()).hexdigest()
