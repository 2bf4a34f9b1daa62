"""Saving a result in several formats: all of them or none, and never over the image itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.writers import WRITERS
from feedseg.io.writers.base import Writer
from feedseg.io.writers.json import WRITER as RECORD
from feedseg.io.writers.json import is_of

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

DEFAULT_FORMATS = ("labels", "overlay", "json")


class SavedFiles(tuple[Path, ...]):
    """Where a result was saved: a file for each format, in the formats' order, and each by its format's name.

    A name is an attribute too: `files.labels`, `files.overlay`, `files.json`.
    """

    by_format: Mapping[str, Path]

    def __new__(cls, by_format: Mapping[str, Path]) -> SavedFiles:
        """From each format's name to its file."""
        files = super().__new__(cls, by_format.values())
        files.by_format = dict(by_format)
        return files

    def __getnewargs__(self) -> tuple[Mapping[str, Path]]:
        return (self.by_format,)

    def __getattr__(self, name: str) -> Path:
        if not name.startswith("_") and name in (saved := self.__dict__.get("by_format", {})):
            return saved[name]
        raise AttributeError(f"nothing was saved as {name!r}")

    def _asdict(self) -> dict[str, Path]:
        """What `by_format` has; of version 0.2, in which this was a named tuple."""
        return dict(self.by_format)


def load_writers(formats: str | Writer | Iterable[str | Writer] | None = None) -> tuple[Writer, ...]:
    """The writers of registered names, of "package.module:Name", or objects; without any, those of `DEFAULT_FORMATS`.

    Raises:
        FeedsegError: there is none of a name, or two write the same file.
    """
    if formats is None:
        formats = DEFAULT_FORMATS
    if not isinstance(formats, Iterable) and not isinstance(formats, Writer):
        raise FeedsegError(f"formats are a name, a writer or a list of them, not {formats!r}")
    wanted = [formats] if isinstance(formats, (str, Writer)) else list(formats)
    writers = tuple(WRITERS.load(one) for one in wanted)
    if not writers:
        raise FeedsegError(f"no format to save in: there are {', '.join(WRITERS.names())}")
    for what, values in (
        ("are called", [writer.name for writer in writers]),
        ("write files that end in", [writer.suffix for writer in writers]),
    ):
        if twice := next((value for value in values if values.count(value) > 1), None):
            raise FeedsegError(f"two of the formats {what} {twice!r}: leave one out")
    return writers


def save(
    result: Segmentation, folder: str | os.PathLike[str], stem: str | None = None, writers: Sequence[Writer] = ()
) -> SavedFiles:
    """Write a result into a folder, made if need be, with each of the writers (without any, the default ones).

    Everything is encoded and written beside before the first file takes its place, in the order of the writers but the
    JSON last: where it is new, the others are. If one cannot be written, none is replaced. See `Segmentation.save`.

    Raises:
        FeedsegError: a file cannot be written or would replace the source.
    """
    folder = Path(folder)
    writers = tuple(writers) or load_writers()
    if stem is None:
        stem = _free_stem(folder, result.source, writers)
    if not stem or Path(stem).name != stem:
        raise FeedsegError(f"{stem!r} cannot begin a file's name: leave out folders and slashes")
    files = {writer.name: _file(folder, stem, writer) for writer in writers}
    for path in files.values():
        with suppress(OSError):  # one of the two is not there, so they are not the same
            if result.source and path.samefile(result.source):
                raise FeedsegError(f"{path} is the image itself: save to another folder or under another stem")
        if path.is_dir():  # which would be noticed only after the first files are replaced
            raise FeedsegError(f"cannot write {path}: it is a folder")
    contents = {writer.name: _encoded(writer, result) for writer in writers}
    order = sorted(files, key=lambda name: name == RECORD.name)
    with ExitStack() as stack:  # all are written before the first takes its place, in the opposite order
        for name in reversed(order):
            stack.enter_context(write_atomically(files[name])).write_bytes(contents[name])
    return SavedFiles(files)


def _encoded(writer: Writer, result: Segmentation) -> bytes:
    content = writer.encode(result)
    if not isinstance(content, bytes):
        raise FeedsegError(f"the writer {writer.name!r} must encode to bytes, not {type(content).__name__}")
    return content


def _free_stem(folder: Path, source: str | None, writers: Iterable[Writer]) -> str:
    """The first of "name", "name-2", … under which the folder has nothing, or results of the same source."""
    name = (Path(source).stem if source else "") or "picture"
    for stem in chain((name,), (f"{name}-{number}" for number in count(2))):
        record = _file(folder, stem, RECORD)
        files = {record, *(_file(folder, stem, writer) for writer in writers)}
        if not any(os.path.lexists(file) for file in files) or is_of(record, source):
            return stem
    raise AssertionError("there is always a next number")


def _file(folder: Path, stem: str, writer: Writer) -> Path:
    return folder / f"{stem}{writer.suffix}"
