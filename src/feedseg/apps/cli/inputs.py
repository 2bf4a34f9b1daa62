"""What the user asks for, checked before anything heavy is imported: the words, the speed, where results go."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from feedseg.errors import FeedsegError
from feedseg.io.palette import Colour, parse_colours
from feedseg.settings import SPEEDS
from feedseg.vocabulary import AUTO, Vocabulary
from feedseg.vocabulary.text import classes_of_line
from feedseg.vocabulary.words import shown

LISTS = (".txt", ".csv", ".tsv", ".json", ".toml", ".yaml", ".yml")  # what no name ends in


def choose_vocabulary(
    labels: str | None, background: str | None, no_background: bool, file: Path | None, threshold: float | None
) -> Vocabulary:
    """The vocabulary from --labels or a file; with the stock background words unless it is said otherwise.

    A threshold given beside a file counts instead of the file's.
    """
    if labels is not None and file is not None:
        raise FeedsegError("--labels and --vocabulary both say what to look for: give one of them")
    if background is not None and no_background:
        raise FeedsegError("--background and --no-background contradict each other: give one of them")
    behind = None if no_background else AUTO if background is None else background
    if file is not None:
        if background is not None:
            raise FeedsegError(f"--background goes with --labels: write a line 'background: …' into {file} instead")
        vocabulary = Vocabulary.read(file, behind, threshold)
        if no_background and vocabulary.background:
            raise FeedsegError(f"--no-background, and {file} has a line 'background: …': leave out one of them")
        return vocabulary
    if labels is None:
        raise FeedsegError('say what to look for: --labels "cat; kitten, sofa" or --vocabulary FILE')
    if Path(labels).suffix.lower() in LISTS or (Path(labels).suffix and is_file(labels)):
        raise FeedsegError(
            f"--labels takes the words themselves, and {shown(labels)} is a file: did you mean --vocabulary?"
        )
    if no_background and len(classes_of_line(labels)) == 1:
        raise FeedsegError(
            f"--no-background gives every pixel one of the classes, and {shown(labels)} is the only one: leave it out, "
            "or add classes, separated by commas"
        )
    return Vocabulary.parse_line(labels, behind, threshold or 0.0)


def choose_colours(text: str | None, names: Sequence[str]) -> dict[str, Colour]:
    """What --colours says: colours for some of the classes, or a file that has a line for each of them."""
    if text is None:
        return {}
    if is_file(text):
        try:
            return parse_colours(Path(text).read_text(encoding="utf-8-sig"), names)
        except (OSError, UnicodeDecodeError) as error:
            raise FeedsegError(f"cannot read the colours in {text}: {error}") from error
    return parse_colours(text, names)


def check_speed(speed: str, windows: Mapping[str, object]) -> str:
    """What --speed says; `windows` are --window and --stride, None where they are not given."""
    if speed not in SPEEDS:
        raise FeedsegError(f"--speed is {', '.join(SPEEDS[:-1])} or {SPEEDS[-1]}, not {speed!r}")
    if speed != "protocol" and (given := [f"--{name}" for name, value in windows.items() if value is not None]):
        raise FeedsegError(f"--speed {speed} chooses the windows: leave out {' and '.join(given)}")
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
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not nearest.is_dir():
            raise FeedsegError(f"cannot write to {folder}: {nearest} is a file")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise FeedsegError(f"cannot write to {folder}: {nearest} is not yours to write; give another --out")
    except OSError as error:
        raise FeedsegError(f"cannot write to {folder}: {error.strerror}") from error
    return folder
