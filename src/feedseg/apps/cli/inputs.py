"""What the user asks for, checked before anything heavy is imported: the words, the pictures, where results go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from feedseg.errors import FeedsegError
from feedseg.settings import SPEEDS
from feedseg.vocabulary import Vocabulary

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
OUTPUTS = (".labels.png", ".overlay.png", ".labels.json")  # what `Segmentation.save` appends to the stem


@dataclass(frozen=True)
class Failure:
    """A picture, or a folder that should have some, and why there is no result; the reason names it."""

    picture: str
    reason: str


@dataclass(frozen=True)
class Found:
    """A picture that was asked for."""

    path: Path
    inside: PurePath  # its path below the folder that was given; of a file that was given the name
    home: str  # the name of that folder; of a file that was given the name of the folder it is in

    @cached_property
    def key(self) -> str:
        """The same for two ways to write one path."""
        return _key(self.path)

    @property
    def stems(self) -> tuple[PurePath, ...]:
        """Where its results could go, from the plainest to the most distinct."""
        plain = self.inside.with_suffix("")
        return plain, self.inside, self.home / plain, self.home / self.inside


@dataclass(frozen=True)
class Job:
    """A picture and where its results go."""

    path: Path
    folder: Path
    stem: str


def choose_vocabulary(
    labels: str | None, background: str | None, file: Path | None, threshold: float | None
) -> Vocabulary:
    """The vocabulary from --labels and --background, or from a file; a threshold given beside a file counts."""
    if labels is not None and file is not None:
        raise FeedsegError("--labels and --vocabulary both say what to look for: give one of them")
    if file is not None:
        if background is not None:
            raise FeedsegError(f"--background goes with --labels: write a line 'background: …' into {file} instead")
        written = Vocabulary.read(file)
        if threshold is None:
            return written
        return Vocabulary(written.classes, written.background, threshold, written.templates)
    if labels is None:
        raise FeedsegError('say what to look for: --labels "cat; kitten, sofa" or --vocabulary FILE')
    if Path(labels).suffix and is_file(labels):
        raise FeedsegError(f"--labels takes the words themselves, and {labels} is a file: did you mean --vocabulary?")
    return Vocabulary.parse_line(labels, background, threshold or 0.0)


def check_speed(speed: str, windows: Mapping[str, object]) -> str:
    """What --speed says; `windows` are --window and --stride, None where they are not given."""
    if speed not in SPEEDS:
        raise FeedsegError(f"--speed is {' or '.join(SPEEDS)}, not {speed!r}")
    if speed == "fast" and (given := [f"--{name}" for name, value in windows.items() if value is not None]):
        raise FeedsegError(f"--speed fast chooses the windows: leave out {' and '.join(given)}")
    return speed


def is_file(text: str) -> bool:
    """Whether the text is the path of a file; it may be no possible path at all."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def check_writable(out: str) -> Path:
    """The folder for the results, which can be written, or made; it is not made yet."""
    folder = Path(out)
    if not out:
        raise FeedsegError("--out is empty: give the folder for the results")
    try:
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not nearest.is_dir():
            raise FeedsegError(f"cannot write to {folder}: {nearest} is a file")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise FeedsegError(f"cannot write to {folder}: {nearest} is not yours to write; give another --out")
    except OSError as error:
        raise FeedsegError(f"cannot write to {folder}: {error.strerror}") from error
    return folder


def find_pictures(arguments: Sequence[str], out: Path) -> tuple[list[Job], list[Failure]]:
    """The pictures among files and, recursively, in folders, each once; and the arguments that lead to none.

    Files are taken whatever they are called. In folders only files that are called like pictures count, and neither
    hidden ones nor results of earlier runs.
    """
    pictures: dict[str, Found] = {}
    failures: list[Failure] = []
    for argument in arguments:
        try:
            found = list(_find(argument, failures))
        except OSError as error:
            failures.append(Failure(argument, f"{argument} cannot be read: {error.strerror}"))
        else:
            for picture in found:
                pictures.setdefault(picture.key, picture)
    return _distinct(list(pictures.values()), out), failures


def _find(argument: str, failures: list[Failure]) -> Iterator[Found]:
    path = Path(argument)
    if not argument:
        failures.append(Failure("", "an empty name stands among the pictures"))
    elif not path.is_dir():
        if path.exists():
            yield Found(path, PurePath(path.name), path.absolute().parent.resolve().name)
        else:
            failures.append(Failure(argument, f"{argument} does not exist"))
    else:
        known = len(failures)
        home, empty = path.resolve().name, True
        for below in _pictures_below(path, failures):
            empty = False
            yield Found(below, below.relative_to(path), home)
        if empty and len(failures) == known:
            suffixes = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
            failures.append(Failure(argument, f"{argument} has no pictures ({suffixes})"))


def _pictures_below(folder: Path, failures: list[Failure]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        failures.append(Failure(str(error.filename), f"{error.filename} cannot be read: {error.strerror}"))

    for home, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            lowered = name.lower()
            if PurePath(lowered).suffix in SUFFIXES and not lowered.startswith(".") and not lowered.endswith(OUTPUTS):
                yield Path(home, name)


def _key(path: Path) -> str:
    """The path with its folder's links resolved: a link to a picture is a picture of its own."""
    return str(path.absolute().parent.resolve() / path.name)


def _distinct(pictures: Sequence[Found], out: Path) -> list[Job]:
    """A stem of its own for every picture: the plainest of its `stems` that no other has and whose files are no inputs.

    Where several would share one, all of them take the next, so that it does not matter which was given first. What
    then is still the same gets a number. Names that differ in case alone count as the same.
    """
    inputs = {key.casefold() for picture in pictures if (key := picture.key).lower().endswith(OUTPUTS)}
    levels = [0] * len(pictures)
    while True:
        stems = [picture.stems[level] for picture, level in zip(pictures, levels, strict=True)]
        holders = Counter(str(stem).casefold() for stem in stems)
        shared = [
            index
            for index, stem in enumerate(stems)
            if levels[index] + 1 < len(pictures[index].stems)
            and (holders[str(stem).casefold()] > 1 or _hits(out / stem, inputs))
        ]
        if not shared:
            break
        for index in shared:
            levels[index] += 1
    jobs = []
    taken: set[str] = set()
    for picture, stem in zip(pictures, stems, strict=True):
        numbered, number = stem, 1
        while str(numbered).casefold() in taken or _hits(out / numbered, inputs):
            number += 1
            numbered = stem.with_name(f"{stem.name}-{number}")
        taken.add(str(numbered).casefold())
        jobs.append(Job(picture.path, out / numbered.parent, numbered.name))
    return jobs


def _hits(stem: Path, inputs: set[str]) -> bool:
    return bool(inputs) and any(_key(stem.with_name(stem.name + ending)).casefold() in inputs for ending in OUTPUTS)
