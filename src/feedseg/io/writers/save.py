"""Saving a result in several formats: all of them or none, and never over the image itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, cast

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.io.exports import EXPORTS
from feedseg.io.packages import check_packages
from feedseg.io.writers import WRITERS
from feedseg.io.writers.base import Writer
from feedseg.io.writers.json import WRITER as RECORD
from feedseg.io.writers.json import claim, earlier_names, is_of, is_record

if TYPE_CHECKING:
    from types import TracebackType

    from feedseg.io.results import SavedResult
    from feedseg.segmentation import Segmentation

DEFAULT_FORMATS = ("labels", "overlay", "json")


class SavedFiles(tuple[Path, ...]):
    """Where a result was saved: the files of each format, in the formats' order, and each by its format's name.

    A name is an attribute too: `files.labels`, `files.overlay`, `files.json`. Of a format with several files each has
    what tells it from the others appended: `files.by_format["masks.cat"]`.
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
        FeedsegError: there is none of a name, two write the same file, or a package that one needs is missing.
    """
    if formats is None:
        formats = DEFAULT_FORMATS
    if not isinstance(formats, Iterable) and not isinstance(formats, Writer):
        raise FeedsegError(f"formats are a name, a writer or a list of them, not {formats!r}")
    wanted = [formats] if isinstance(formats, (str, Writer)) else list(formats)
    for name in {*EXPORTS.names()}.difference(WRITERS.names()).intersection(
        one for one in wanted if isinstance(one, str)
    ):
        raise FeedsegError(
            f"{name!r} is one file for a whole run: save the results, then feedseg convert --format {name}"
        )
    # A name that is repeated is meant once; two objects of one name are two.
    writers = tuple(dict.fromkeys(WRITERS.load(one) for one in dict.fromkeys(wanted)))
    if not writers:
        raise FeedsegError(f"no format to save in: there are {', '.join(WRITERS.names())}")
    for what, values in (
        ("are called", [writer.name for writer in writers]),
        ("write files that end in", [writer.suffix for writer in writers]),
    ):
        if twice := next((value for value in values if values.count(value) > 1), None):
            raise FeedsegError(f"two of the formats {what} {twice!r}: leave one out")
    for writer in writers:
        check_packages(writer.name, writer.packages)
    return writers


def save(
    result: Segmentation | SavedResult,
    folder: str | os.PathLike[str],
    stem: str | None = None,
    writers: Sequence[Writer] = (),
    *,
    only_own: bool = False,
) -> SavedFiles:
    """Write a result into a folder, made if need be, with each of the writers (without any, the default ones).

    Everything is encoded and written beside before the first file takes its place, in the order of the writers but the
    JSON last: where it is new, the others are. If one cannot be written, none is replaced. Of a result under the same
    stem the files of classes that are no longer there go. See `Segmentation.save`.

    Args:
        result: with what the writers need.
        folder: where to.
        stem: how the files' names begin.
        writers: of one file or several.
        only_own: replace files only where the JSON of a result lies beside them, and those that their writer does not
            recognise not even there. Until the JSON is there, a claim stands in its place.

    Raises:
        FeedsegError: a file cannot be written, would replace the source, or is not ours.
    """
    folder = Path(folder)
    writers = tuple(writers) or load_writers()
    if stem is None:
        stem = _free_stem(folder, result.source, result.names, writers)
    if not stem or Path(stem).name != stem:
        raise FeedsegError(f"{stem!r} cannot begin a file's name: leave out folders and slashes")
    files: dict[str, Path] = {}
    writer_of: dict[str, Writer] = {}
    contents: dict[str, bytes] = {}
    for writer in writers:
        for suffix, content in _encoded(writer, result).items():
            name = writer.name + suffix.removesuffix(writer.suffix)
            files[name], writer_of[name], contents[name] = folder / f"{stem}{suffix}", writer, content
    _check_places(files.values(), result.source)
    record = _file(folder, stem, RECORD)
    known = is_record(record)
    stale = (
        _class_files(folder, stem, writers, earlier_names(record), result.names) - {*files.values()} if known else ()
    )
    if only_own:
        _check_own([(path, writer_of[name]) for name, path in files.items()], known)
    order = sorted(files, key=lambda name: name == RECORD.name)
    with ExitStack() as stack:  # all are written before the first takes its place, in the opposite order
        if only_own and not known:
            _claim(record, result.source, [*files.values()], stack)
        for name in reversed(order):
            stack.enter_context(write_atomically(files[name])).write_bytes(contents[name])
            if name == RECORD.name or RECORD.name not in files:
                stack.push(_removal(stale))
                stale = ()
    return SavedFiles(files)


def _encoded(writer: Writer, result: Segmentation | SavedResult) -> Mapping[str, bytes]:
    """The contents of a writer's files by what follows the stem."""
    encoded = writer.files(cast("Segmentation", result))  # what it needs of one beside the labels is in `needs`
    for suffix, content in encoded.items():
        if not isinstance(content, bytes):
            raise FeedsegError(f"the writer {writer.name!r} must encode to bytes, not {type(content).__name__}")
        if not re.fullmatch(rf"(\.[^./\\]+)?{re.escape(writer.suffix)}", suffix):
            raise FeedsegError(
                f"the writer {writer.name!r} must end its files in {writer.suffix!r}, after one word at most that "
                f"begins with a dot, not in {suffix!r}"
            )
    return encoded


def _check_places(files: Iterable[Path], source: str | None) -> None:
    """Raises FeedsegError where a file would replace the image itself, or a folder is in its place."""
    for path in files:
        with suppress(OSError):  # one of the two is not there, so they are not the same
            if source and path.samefile(source):
                raise FeedsegError(f"{path} is the image itself: save to another folder or under another stem")
        if path.is_dir():  # which would be noticed only after the first files are replaced
            raise FeedsegError(f"cannot write {path}: it is a folder")


def _check_own(files: Iterable[tuple[Path, Writer]], known: bool) -> None:
    """Raises FeedsegError where a file is somebody else's; `known`: whether the JSON of a result lies beside it."""
    for path, writer in files:
        if os.path.lexists(path) and not (known and writer.recognises(path)):
            raise FeedsegError(f"{path} is there and was not written by feedseg: move it away, or give another folder")


def _claim(record: Path, source: str | None, files: Sequence[Path], stack: ExitStack) -> None:
    """Have the files that are about to be written known as ours, also if the program is killed among them."""
    with write_atomically(record) as temporary:
        temporary.write_bytes(claim(source))

    def unclaim(kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and not any(os.path.lexists(path) for path in files if path != record):
            record.unlink(missing_ok=True)

    stack.push(unclaim)


def _removal(stale: Iterable[Path]) -> Callable[..., None]:
    """What removes files on a way out without an error."""

    def remove(kind: type[BaseException] | None, *_: object) -> None:
        for path in stale if kind is None else ():
            path.unlink(missing_ok=True)

    return remove


def _class_files(folder: Path, stem: str, writers: Iterable[Writer], *names: Sequence[str]) -> set[Path]:
    """The files that writers of several can have written for a result with these classes or those."""
    return {
        folder / f"{stem}{suffix}" for writer in writers for classes in names for suffix in writer.suffixes(classes)
    }


def _free_stem(folder: Path, source: str | None, names: Sequence[str], writers: Sequence[Writer]) -> str:
    """The first of "name", "name-2", … under which the folder has nothing, or results of the same source."""
    name = (Path(source).stem if source else "") or "picture"
    for stem in chain((name,), (f"{name}-{number}" for number in count(2))):
        record = _file(folder, stem, RECORD)
        files = {record, *_class_files(folder, stem, writers, names)}
        if not any(os.path.lexists(file) for file in files) or is_of(record, source):
            return stem
    raise AssertionError("there is always a next number")


def _file(folder: Path, stem: str, writer: Writer) -> Path:
    return folder / f"{stem}{writer.suffix}"
