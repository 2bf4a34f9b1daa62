"""Outcomes in files that survive any interruption, so that a run can be resumed.

A journal is a text file of JSON lines: first its format and the fingerprint of everything that the results depend on,
then one line per item. Lines are only ever appended. Whatever ends the program, at most the last line is torn, and that
one is dropped when the journal is opened again. Shards that run at the same time write journals of their own into one
folder, where they are read together.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.json_files import parse_json

FORMAT = 3
Fingerprint = Mapping[str, Any]


class JournalError(FeedsegError):
    """A journal takes no more lines; those before are safe."""


@dataclass(frozen=True)
class Record:
    """One line: the JSON that identifies an item, and either its result or the reason why there is none."""

    item: Any
    result: Mapping[str, Any] | None = None
    error: str | None = None

    @property
    def key(self) -> str:
        """The same text for the same item."""
        return key_of(self.item)


def key_of(item: Any) -> str:
    """JSON as a text that is the same for equal values."""
    return json.dumps(item, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class JournalFolder:
    """The journals of one stem in a folder: `{stem}.jsonl`, and `{stem}.{k}-of-{n}.jsonl` of shards."""

    folder: Path
    stem: str

    @property
    def files(self) -> list[Path]:
        """The journals that are there, by name."""
        return sorted(self.folder.glob(f"{self.stem}*.jsonl"))

    def records(self) -> Iterator[tuple[Path, Record]]:
        """Every line of every journal with the file it stands in, without torn last lines.

        Raises:
            FeedsegError: a journal is damaged or cannot be read.
        """
        for path in self.files:
            for record in _read(path):
                yield path, record

    def finished(self) -> set[str]:
        """The keys of the items that have a result; those that failed are tried again."""
        return {record.key for _, record in self.records() if record.result is not None}

    def check(self, fingerprint: Fingerprint) -> None:
        """Complain about journals whose results were made otherwise, saying what differs.

        Raises:
            FeedsegError: there is such a journal, or one that is damaged or of another version.
        """
        for path, differences in self.differing(fingerprint):
            raise FeedsegError(f"{path} was made otherwise: {'; '.join(differences)}; give another --out, or delete it")

    def differing(self, fingerprint: Fingerprint) -> Iterator[tuple[Path, list[str]]]:
        """The journals whose results were made otherwise, each with what differs.

        Raises:
            FeedsegError: one is damaged or of another version.
        """
        ours = flattened(json.loads(json.dumps(fingerprint)))
        for path in self.files:
            theirs = _fingerprint(path)
            if theirs is not None and (differences := what_differs(flattened(theirs), ours)):
                yield path, differences

    def in_use(self, but: Path | None = None) -> Path | None:
        """A journal, other than `but`, that another process is writing."""
        for path in self.files:
            if path != but:
                lock = lock_of(path)
                try:
                    lock.acquire()
                except Timeout:
                    return path
                except OSError:  # a folder that takes no locks takes no writer either
                    continue
                lock.release()
        return None

    def rewrite(self, fingerprint: Fingerprint, records: Iterable[Record]) -> None:
        """Put one journal with these records in the place of all; nobody may be writing one.

        Raises:
            FeedsegError: it cannot be written.
        """
        path = self.path()
        with write_atomically(path) as temporary:
            lines = [_first_line(fingerprint), *map(_line, records)]
            temporary.write_bytes(b"".join(map(_encoded, lines)))
        for other in self.files:
            if other != path:
                other.unlink(missing_ok=True)

    def path(self, shard: Shard | None = None) -> Path:
        """Where the journal of a shard, or of all the work, is."""
        part = "" if shard is None or shard.of == 1 else f".{shard.number}-of-{shard.of}"
        return self.folder / f"{self.stem}{part}.jsonl"

    def open(self, fingerprint: Fingerprint, shard: Shard | None = None) -> Journal:
        """The journal of a shard, or of all the work, for appending; made if need be.

        Raises:
            FeedsegError: the folder holds results made otherwise; the journal is damaged, cannot be written, or is
                being written by another process.
        """
        self.check(fingerprint)
        return Journal(self.path(shard), fingerprint)


class Journal:
    """A journal that is being written; no other process can write it at the same time."""

    def __init__(self, path: Path, fingerprint: Fingerprint) -> None:
        self.path = path
        self._lock = lock_of(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            self._file = path.open("a+b")
        except Timeout as error:
            raise FeedsegError(
                f"{path} is being written by another process: wait until it has ended, or give another --out"
            ) from error
        except OSError as error:
            self._lock.release()
            raise FeedsegError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            _drop_torn_line(self._file)
            if not self._file.tell():
                self._write(_first_line(fingerprint))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write it."""
        with suppress(OSError):  # every line was flushed, or its failure told
            self._file.close()
        self._lock.release()

    def append(self, record: Record) -> None:
        """Append a line; once this returns, nothing that happens to the program can lose it.

        Raises:
            JournalError: it cannot be written.
        """
        self._write(_line(record))

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(_encoded(line))
            self._file.flush()
        except OSError as error:
            raise JournalError(f"cannot write {self.path}: {error.strerror or error}") from error


def lock_of(path: Path) -> FileLock:
    """What only one process holds at a time: whoever writes the file. Not acquired yet; waits for nobody."""
    return FileLock(path.with_name(f".{path.name}.lock"), timeout=0, thread_local=False)


def flattened(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dots between the keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def damaged(path: Path) -> FeedsegError:
    """What to raise for a journal that does not hold what it should."""
    return FeedsegError(f"{path} is damaged: delete it, and what it holds is computed again")


def _first_line(fingerprint: Fingerprint) -> Mapping[str, Any]:
    return {"journal": FORMAT, "fingerprint": fingerprint}


def _line(record: Record) -> Mapping[str, Any]:
    content = {"error": record.error} if record.result is None else {"result": record.result}
    return {"item": record.item, **content}


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def what_differs(theirs: Mapping[str, Any], ours: Mapping[str, Any], most: int = 4) -> list[str]:
    """What two flattened fingerprints differ in, each in words; the last ones only counted if they are many."""
    absent = object()

    def shown(value: object) -> str:
        text = "absent" if value is absent else str(value)
        return text if len(text) <= 60 else f"{text[:57]}…"

    differing = [key for key in {**theirs, **ours} if theirs.get(key, absent) != ours.get(key, absent)]
    texts = [f"{key} was {shown(theirs.get(key, absent))}, now {shown(ours.get(key, absent))}" for key in differing]
    return texts[:most] + ([f"and {len(texts) - most} more"] if len(texts) > most else [])


def _read(path: Path) -> list[Record]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return [_record(parse_json(line)) for line in content.split(b"\n")[1:-1]]
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path) from error


def _record(line: Any) -> Record:
    """The record of a line; ValueError, TypeError or KeyError if it is none."""
    if "error" in line:
        if not isinstance(line["error"], str):
            raise TypeError("an error is a text")
        return Record(line["item"], error=line["error"])
    if not isinstance(line["result"], dict):
        raise TypeError("a result is a table")
    return Record(line["item"], line["result"])


def _fingerprint(path: Path) -> Fingerprint | None:
    """What a journal's first line says, or None where not even that was finished."""
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError as error:
        raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error
    if not line.endswith(b"\n"):
        return None
    try:
        first = parse_json(line)
        written, fingerprint = first["journal"], first["fingerprint"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    if written != FORMAT:
        raise FeedsegError(f"{path} was written by another version of feedseg: give another --out")
    if not isinstance(fingerprint, dict):
        raise damaged(path)
    return fingerprint


def _drop_torn_line(file: BinaryIO) -> None:
    """Cut off what follows the last line end; the file stands at its end afterwards."""
    end = file.seek(0, os.SEEK_END)
    position = end
    while position:
        start = max(0, position - (1 << 16))
        file.seek(start)
        at = file.read(position - start).rfind(b"\n")
        if at >= 0:
            position = start + at + 1
            break
        position = start
    if position < end:
        file.truncate(position)
    file.seek(0, os.SEEK_END)
