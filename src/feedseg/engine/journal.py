"""What was measured so far, picture by picture, in files that survive any interruption.

A journal is a text file of JSON lines: first the fingerprint of everything that the numbers depend on, then a line a
picture. Lines are only ever appended. Whatever ends the program, at most the last line is torn, and that one is dropped
when the journal is opened again. Several processes measure into one folder, each into a journal of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import numpy as np

from feedseg.errors import FeedsegError

PATTERN = "pictures*.jsonl"
FORMAT = 2
Fingerprint = Mapping[str, Any]
T = TypeVar("T")
Identity = tuple[str, tuple[int, ...]]  # a picture's name, and how large its files are


class Identified(Protocol):
    """A picture, or what became of it."""

    @property
    def name(self) -> str: ...

    @property
    def sizes(self) -> tuple[int, ...]: ...


def identity(one: Identified) -> Identity:
    """Which picture it is: another one of the same name, as below another root, hardly has the same sizes too."""
    return one.name, one.sizes


@dataclass(frozen=True)
class Share:
    """One of several equal parts of the work; the first is number 1."""

    number: int = 1
    of: int = 1

    @property
    def file_name(self) -> str:
        """The journal's name, different for every share."""
        return "pictures.jsonl" if self.of == 1 else f"pictures.{self.number}-of-{self.of}.jsonl"

    def of_samples(self, samples: Sequence[T]) -> Sequence[T]:
        """The part of them that is this share's."""
        return samples[self.number - 1 :: self.of]

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, eq=False)
class Measured:
    """What one picture contributes: integers that can be added up in any order."""

    name: str
    sizes: tuple[int, ...]  # of its files, bytes: the picture and its mask; () where it was drawn
    pixels: Mapping[str, np.ndarray]  # variant -> (n, 3): true class, label, how many pixels; zeros left out
    boundaries: Mapping[str, np.ndarray]  # variant -> (n, 5): class, the four rows of `boundary_counts`; zeros left out
    seconds: Mapping[str, float]  # "open" and every variant
    memory: int | None  # the process's peak so far, bytes

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        arrays = {
            kind: {variant: rows.tolist() for variant, rows in getattr(self, kind).items()}
            for kind in ("pixels", "boundaries")
        }
        seconds = {part: round(value, 6) for part, value in self.seconds.items()}
        return {"name": self.name, "sizes": [*self.sizes], **arrays, "seconds": seconds, "memory": self.memory}

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Measured:
        """The inverse of `to_json`."""

        def arrays(kind: str, columns: int) -> dict[str, np.ndarray]:
            return {name: np.array(rows, np.int64).reshape(-1, columns) for name, rows in line[kind].items()}

        pixels, boundaries = arrays("pixels", 3), arrays("boundaries", 5)
        return cls(line["name"], tuple(line["sizes"]), pixels, boundaries, line["seconds"], line["memory"])


@dataclass(frozen=True)
class Failed:
    """A picture that could not be measured, and why; it is tried again the next time."""

    name: str
    sizes: tuple[int, ...]  # as `Measured` has them
    reason: str

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {"name": self.name, "sizes": [*self.sizes], "error": self.reason}

    def __str__(self) -> str:
        return self.reason if self.name in self.reason else f"{self.name}: {self.reason}"


Outcome = Measured | Failed


@dataclass
class Contents:
    """What the journals of a folder hold."""

    measured: dict[Identity, Measured] = field(default_factory=dict)
    failed: dict[Identity, Failed] = field(default_factory=dict)


class JournalError(FeedsegError):
    """A journal takes no more pictures; those before are safe."""


class Journal:
    """A journal that is being written: `with Journal(folder, share, fingerprint) as journal: journal.add(outcome)`.

    Raises:
        FeedsegError: the folder holds measurements made otherwise; the journal is damaged, cannot be written, or is
            being written by another process.
    """

    def __init__(self, folder: Path, share: Share, fingerprint: Fingerprint) -> None:
        self.path = folder / share.file_name
        check_fingerprint(folder, fingerprint)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        except OSError as error:
            raise FeedsegError(f"cannot write {self.path}: {error.strerror or error}") from error
        try:
            _lock(self._file, self.path)
            _drop_torn_line(self._file)
            if not self._file.tell():
                self._write({"journal": FORMAT, "fingerprint": fingerprint})
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        with suppress(OSError):  # every line was flushed, or its failure told
            self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Append a picture; once this returns, nothing that happens to the program can lose it.

        Raises:
            JournalError: it cannot be written.
        """
        try:
            self._write(outcome.to_json())
        except FeedsegError as error:
            raise JournalError(str(error)) from error

    def _write(self, line: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise FeedsegError(f"cannot write {self.path}: {error.strerror or error}") from error


def read_journals(folder: Path) -> Contents:
    """Everything in a folder's journals; of a picture that several hold the first one counts, files by name.

    Raises:
        FeedsegError: a journal is damaged or cannot be read.
    """
    contents = Contents()
    for path in sorted(folder.glob(PATTERN)):
        for line in _read(path):
            try:
                outcome = _failed(line) if "error" in line else Measured.from_json(line)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise _damaged(path) from error
            if isinstance(outcome, Measured):
                contents.measured.setdefault(identity(outcome), outcome)
            else:
                contents.failed[identity(outcome)] = outcome
    for one in contents.measured:
        contents.failed.pop(one, None)
    return contents


def measured_already(folder: Path) -> set[Identity]:
    """The pictures that need not be measured again."""
    lines = (line for path in folder.glob(PATTERN) for line in _read(path))
    return {(line["name"], tuple(line["sizes"])) for line in lines if "error" not in line}


def _failed(line: Mapping[str, Any]) -> Failed:
    return Failed(line["name"], tuple(line["sizes"]), line["error"])


def check_fingerprint(folder: Path, fingerprint: Fingerprint) -> None:
    """Complain about journals in the folder whose numbers were made otherwise, saying what differs."""
    ours = flattened(json.loads(json.dumps(fingerprint)))
    for path in sorted(folder.glob(PATTERN)):
        theirs = _fingerprint(path)
        if theirs is None:
            continue
        differences = _differences(flattened(theirs), ours)
        if differences:
            raise FeedsegError(
                f"{path} was measured otherwise: {'; '.join(differences)}; give another --out, or delete it"
            )


def flattened(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dots between the keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], most: int = 4) -> list[str]:
    absent = object()

    def shown(value: object) -> str:
        return "absent" if value is absent else str(value)

    differing = [key for key in {**theirs, **ours} if theirs.get(key, absent) != ours.get(key, absent)]
    texts = [f"{key} was {shown(theirs.get(key, absent))}, now {shown(ours.get(key, absent))}" for key in differing]
    return texts[:most] + ([f"and {len(texts) - most} more"] if len(texts) > most else [])


def _read(path: Path) -> list[dict[str, Any]]:
    """A journal's pictures, without a torn last line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        lines = [json.loads(line) for line in content.split(b"\n")[1:-1]]
    except ValueError as error:
        raise _damaged(path) from error
    if not all(map(_is_of_a_picture, lines)):
        raise _damaged(path)
    return lines


def _is_of_a_picture(line: object) -> bool:
    """Whether it says which picture it is about, and why that one failed, if it did."""
    if not isinstance(line, dict) or not isinstance(line.get("name"), str):
        return False
    sizes = line.get("sizes")
    return isinstance(sizes, list) and all(type(size) is int for size in sizes) and type(line.get("error", "")) is str


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
        first = json.loads(line)
        written, fingerprint = first["journal"], first["fingerprint"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error
    if written != FORMAT:
        raise FeedsegError(f"{path} was written by another version of feedseg: give another --out")
    if not isinstance(fingerprint, dict):
        raise _damaged(path)
    return fingerprint


def _damaged(path: Path) -> FeedsegError:
    return FeedsegError(f"{path} is damaged: delete it to measure its pictures again")


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


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep other processes out for as long as the file is open; the system lets go of it however this one ends.

    Where there is no fcntl (on Windows) nothing keeps one from measuring into one file twice at the same time.
    """
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FeedsegError(
                f"{path} is being written by another process: wait until it has ended, or give another --out"
            ) from error


def total(outcomes: Iterable[Measured], variant: str, classes: int) -> np.ndarray:
    """The confusion matrix of all pictures, (classes, classes), int64."""
    confusion = np.zeros((classes, classes), np.int64)
    for one in outcomes:
        true, named, count = one.pixels[variant].T
        confusion[true, named] += count  # every pair stands once in a picture
    return confusion


def sparse(confusion: np.ndarray) -> np.ndarray:
    """The entries of a confusion matrix that are not zero: (n, 3), true class, label, count."""
    true, named = np.nonzero(confusion)
    return np.stack((true, named, confusion[true, named]), axis=1)
