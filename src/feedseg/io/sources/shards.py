"""Files that hold many images: WebDataset's tar files, and Parquet tables with a column of images."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path, PurePath, PurePosixPath
from threading import Lock
from typing import Any, BinaryIO

from feedseg.errors import FeedsegError, first_line
from feedseg.io.remote import shown
from feedseg.io.sources.base import (
    SHARDS,
    Failure,
    Finding,
    Found,
    Refused,
    Search,
    Skipped,
    Source,
    inside_of,
    resolved,
)

COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "bytes", "content")  # which of several holds the images


@dataclass(frozen=True)
class TarImage(Found):
    """A member of a tar file; its bytes are read from where they lie."""

    shard: str = ""  # path or address
    member: str = ""
    start: int = 0
    length: int = 0

    def open(self) -> AbstractContextManager[BinaryIO]:
        """See `Found.open`."""
        from feedseg.io.remote import read

        content = read(self.shard, self.start, self.start + self.length)
        if len(content) < self.length:
            raise FeedsegError(f"{self.name} cannot be read: the file ends before it")
        return closing(BytesIO(content))

    @property
    def name(self) -> str:
        """See `Found.name`."""
        return f"{shown_shard(self.shard)}/{self.member}"

    @cached_property
    def key(self) -> str:
        """See `Found.key`."""
        return f"{shard_key(self.shard)}/{self.member}"


@dataclass(frozen=True)
class TableImage(Found):
    """A row of a Parquet table. The group of rows that it is in is read as a whole, and kept for the next ones."""

    shard: str = ""
    column: str = ""
    group: int = 0
    place: int = 0  # in the group
    row: int = 0  # in the table

    def open(self) -> AbstractContextManager[BinaryIO]:
        """See `Found.open`."""
        with _READING:
            value = _column(self.shard, self.column, self.group)[self.place].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise FeedsegError(f"{self.name} has no image")
        return closing(BytesIO(content))

    @property
    def name(self) -> str:
        """See `Found.name`."""
        return f"{shown_shard(self.shard)}#{self.row}"

    @cached_property
    def key(self) -> str:
        """See `Found.key`."""
        return f"{shard_key(self.shard)}#{self.row}"


class Shards(Source):
    """A shard that is given by name; `feedseg.io.sources.remotes` gives it those at addresses."""

    def takes(self, argument: str) -> bool:
        """See `Source.takes`."""
        return "://" not in argument and PurePath(argument).suffix.lower() in SHARDS and Path(argument).is_file()

    def find(self, argument: str, search: Search) -> Iterator[Finding]:
        """See `Source.find`."""
        if not search.stored:
            yield Refused(argument, "file of many images", "feedseg batch reads it")
            return
        members = _of_tar if PurePosixPath(argument).suffix.lower() == ".tar" else _of_table
        empty = True
        try:
            for found in members(argument):
                empty = empty and isinstance(found, Skipped)
                yield found
        except FeedsegError as error:
            yield Failure(shown_shard(argument), str(error))
            return
        if empty:
            yield Failure(shown_shard(argument), f"{shown_shard(argument)} has no images")


def shown_shard(shard: str) -> str:
    """What a shard is called in messages."""
    return shown(shard) if "://" in shard else shard


def shard_key(shard: str) -> str:
    """The same for two ways to name one shard."""
    return shown(shard) if "://" in shard else resolved(Path(shard))


def _of_tar(shard: str) -> Iterator[Finding]:
    from feedseg.io.decoders import BY_SUFFIX, readable
    from feedseg.io.remote import opened

    home = PurePosixPath(shard).stem
    try:
        with opened(shard) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                suffix = PurePosixPath(member.name.lower()).suffix
                inside = inside_of(member.name)
                if not member.isfile():
                    continue
                if inside.name.startswith("."):
                    yield Skipped(Path(shard, inside), "hidden")
                elif suffix not in BY_SUFFIX:
                    yield Skipped(Path(shard, inside), suffix or "without suffix")
                elif BY_SUFFIX[suffix] not in readable():
                    name = f"{shown_shard(shard)}/{member.name}"
                    yield Refused(name, f"{suffix} file", BY_SUFFIX[suffix].advice)
                else:
                    start, size = member.offset_data, member.size
                    yield TarImage(Path(inside), inside, home, shard, member.name, start, size)
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # which tarfile takes for the end
                raise FeedsegError(f"{shown_shard(shard)} ends early, and images may be missing: fetch it again")
    except tarfile.TarError as error:
        raise FeedsegError(f"{shown_shard(shard)} is no tar file, or a compressed one: {first_line(error)}") from error
    except (OSError, EOFError) as error:
        raise FeedsegError(f"{shown_shard(shard)} cannot be read: {first_line(error)}") from error


def _of_table(shard: str) -> Iterator[Finding]:
    from feedseg.io.table import check_pyarrow

    check_pyarrow()
    table = _table(shard)
    column = _image_column(table.schema_arrow, shown_shard(shard))
    home, row = PurePosixPath(shard).stem, 0
    for group in range(table.metadata.num_row_groups):
        for place in range(table.metadata.row_group(group).num_rows):
            inside = PurePath(f"{row:08d}")
            yield TableImage(Path(inside), inside, home, shard, column, group, place, row)
            row += 1


def _image_column(schema: Any, name: str) -> str:
    """The column with bytes, or with structs that have a field of them, as Hugging Face's data sets do."""
    from pyarrow import types

    def holds(kind: Any) -> bool:
        if types.is_struct(kind):
            index = kind.get_field_index("bytes")
            return index >= 0 and holds(kind.field(index).type)
        return types.is_binary(kind) or types.is_large_binary(kind)

    able = [field.name for field in schema if holds(field.type)]
    named = [column for column in COLUMNS if column in able]
    if not able or (len(able) > 1 and not named):
        have = ", ".join(schema.names[:10])
        raise FeedsegError(f"{name} has no column of images: call one of bytes {COLUMNS[0]!r}; it has {have}")
    return named[0] if named else able[0]


_READING = Lock()  # threads that load the next images wait for one group instead of reading it each


@lru_cache(maxsize=2)
def _table(shard: str) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    from feedseg.io.remote import opened

    try:
        return parquet.ParquetFile(opened(shard))
    except (pa.ArrowException, OSError) as error:
        raise FeedsegError(f"{shown_shard(shard)} is no Parquet file: {first_line(error)}") from error


@lru_cache(maxsize=2)
def _column(shard: str, column: str, group: int) -> Any:
    import pyarrow as pa

    try:
        return _table(shard).read_row_group(group, columns=[column]).column(0)
    except (pa.ArrowException, OSError) as error:
        raise FeedsegError(f"{shown_shard(shard)} cannot be read: {first_line(error)}") from error


SOURCE = Shards()
