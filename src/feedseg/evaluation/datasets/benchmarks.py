"""Benchmarks as data: where images and masks stand, what the masks' values mean, which words are asked for.

The published ones are TOML files in `published/`; a data set of one's own is a file with the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from feedseg.errors import FeedsegError
from feedseg.evaluation.toml_files import PUBLISHED, Table, read_toml, suggestion
from feedseg.vocabulary import Vocabulary
from feedseg.vocabulary.words import normal_form

# A file there is a benchmark; the papers' come first, in their order.
SUITE = ("voc21", "context60", "coco-object", "voc20", "context59", "coco-stuff", "cityscapes", "ade20k")
BENCHMARKS = tuple(
    sorted(
        (path.stem for path in PUBLISHED.glob("*.toml")),
        key=lambda name: (SUITE.index(name) if name in SUITE else len(SUITE), name),
    )
)
LARGEST_VALUE = 65535  # of a mask of 16 bits
Words = tuple[str, ...]
_FOLDER = re.compile(r"""(?!\.)[^\x00-\x1f/\\:*?"<>|]+(?<![. ])""")  # what every system takes for a folder's name


@dataclass(frozen=True)
class Benchmark:
    """A data set with the words that it is asked for. Paths stand below its root, with slashes."""

    name: str
    title: str
    classes: tuple[Words, ...]  # the words of every class in the order of the labels, without the background
    background: Words  # the words of label 0, or () where there is no background
    images: str  # "JPEGImages/{id}.jpg"; empty where the images are drawn
    masks: str
    split: str | None  # a file of ids; None: all images that `images` fits
    count: int | None  # how many there should be
    zero_is_ignored: bool  # the masks' value 0 does not count, all others drop by one
    ignore_index: int | None  # this value does not count either
    root_hint: str  # where downloads unpack to, "VOCdevkit/VOC2012"
    source: str  # citation and address
    download: str = ""  # what to download, and where
    preparation: str | None = None  # what `feedseg data prepare` calls the making of its masks
    file: Path | None = None  # a user's own TOML file; its folder is the root unless another is given
    values: tuple[int, ...] | None = None  # of every label in the masks, where they are not one after the other
    names: str | None = None  # the file below the root that the classes' names are from
    palette: str | None = None  # "voc": indexed masks have the colours of that data set, a fixed one for every value

    @property
    def is_drawn(self) -> bool:
        """Whether the project draws the images itself, so that there is no root."""
        return not self.images

    @property
    def labels(self) -> int:
        """How many labels there are, with the background."""
        return len(self.classes) + bool(self.background)

    def image(self, root: Path, one: str) -> Path:
        """The image with an id."""
        return root / self.images.replace("{id}", one)

    def mask(self, root: Path, one: str) -> Path:
        """The mask with an id."""
        return root / self.masks.replace("{id}", one)

    def vocabulary(self, threshold: float = 0.0) -> Vocabulary:
        """What to ask for; the labels are the masks' classes. Pixels below the threshold become background.

        Raises:
            FeedsegError: a threshold, and no background that pixels could become.
        """
        if threshold and not self.background:
            raise FeedsegError(f"{self.name} has no background, so a threshold of {threshold:g} has no meaning there")
        return Vocabulary.published(self.classes, self.background, threshold)


def load_benchmark(name_or_file: str | Path, root: Path | None = None) -> Benchmark:
    """A published benchmark by its name, or a user's own by its TOML file.

    Args:
        name_or_file: one of `BENCHMARKS`, or a path that ends in ".toml".
        root: where the data lie; needed only where the file takes the classes' names from the data (`names`). A user's
            own data lie beside the file unless told otherwise.

    Raises:
        FeedsegError: no such name, a file that cannot be read or has a wrong key or value, names without a root.
    """
    name = str(name_or_file)
    if name in BENCHMARKS:
        table = Table(read_toml(PUBLISHED / f"{name}.toml"), name)
        return _benchmark(table, name, None, root)
    path = Path(name_or_file)
    if path.suffix != ".toml":
        own = "a data set of your own is a file that ends in .toml"
        raise FeedsegError(f"there is no benchmark {name!r} ({own}){suggestion(name, BENCHMARKS)}")
    table = Table(read_toml(path), name)
    benchmark = _benchmark(table, path.stem, path, root)
    names = [normal_form(words[0]) for words in benchmark.classes]
    if twice := next((words[0] for words in benchmark.classes if names.count(normal_form(words[0])) > 1), None):
        raise FeedsegError(f"{name}: the class {twice!r} is there twice, and every value of a mask is one class")
    try:
        Vocabulary(benchmark.classes, list(benchmark.background))  # its own complaints, and warnings for the user
    except FeedsegError as error:
        raise FeedsegError(f"{name}: {error}") from error
    return benchmark


def _benchmark(table: Table, name: str, file: Path | None, root: Path | None) -> Benchmark:
    origin = table.origin
    drawn = file is None and table.flag("drawn")
    classes, names = table.texts("classes"), table.text("names")
    if (classes is None) == (names is None):
        raise FeedsegError(
            f"{origin}: give either classes, a list of names, or names, a file below the root with a class a line"
        )
    if names is not None:
        where = root or (file and file.parent)
        if where is None:
            raise FeedsegError(f"{name} takes its classes' names from {names} in the data set: give its folder (root)")
        classes = read_names(_names_file(where, table.text("root_hint") or "", names))
    assert classes is not None
    benchmark = Benchmark(
        name=table.text("name") or name,
        title=table.text("title") or name,
        classes=tuple(_words(entry, origin) for entry in classes),
        background=table.texts("background") or (),
        images="" if drawn else _pattern(table, "images"),
        masks="" if drawn else _pattern(table, "masks"),
        split=table.text("split"),
        count=table.integer("count", least=1) or table.integer("pictures", least=1),
        zero_is_ignored=table.flag("zero_is_ignored"),
        ignore_index=table.integer("ignore_index"),
        root_hint=table.text("root_hint") or "",
        source=table.text("source") or "",
        download=table.text("download") or "",
        preparation=None if file else table.text("preparation"),
        file=file,
        values=table.integers("values"),
        names=names,
        palette=None if file else table.text("palette"),
    )
    table.finish()
    _check(benchmark, origin)
    return benchmark


def _names_file(where: Path, root_hint: str, names: str) -> Path:
    """The file of names below the root, or below a folder above it that was given instead."""
    parts = PurePosixPath(root_hint).parts
    roots = [where, *(where.joinpath(*parts[index:]) for index in range(len(parts)))]
    return next((root / names for root in roots if (root / names).is_file()), where / names)


def _check(benchmark: Benchmark, origin: str) -> None:
    if not _FOLDER.fullmatch(benchmark.name):
        raise FeedsegError(f"{origin}: a folder is called by the name, so it cannot be {benchmark.name!r}")
    if benchmark.zero_is_ignored and benchmark.background:
        raise FeedsegError(f"{origin}: value 0 is either the background or ignored (zero_is_ignored), not both")
    if not benchmark.is_drawn and benchmark.images == benchmark.masks:
        raise FeedsegError(f"{origin}: images and masks are the same files")
    if benchmark.values is not None:
        _check_values(benchmark, benchmark.values, origin)
    first = int(benchmark.zero_is_ignored)
    last = first + benchmark.labels - 1
    ignored = benchmark.ignore_index
    if last > LARGEST_VALUE or (ignored is not None and ignored > LARGEST_VALUE):
        raise FeedsegError(f"{origin}: masks hold the values 0 to {LARGEST_VALUE} at most")
    if benchmark.values is None and ignored is not None and first <= ignored <= last:
        raise FeedsegError(f"{origin}: ignore_index {ignored} is the value of a class; classes have {first} to {last}")


def _check_values(benchmark: Benchmark, values: tuple[int, ...], origin: str) -> None:
    if len(values) != benchmark.labels:
        beside = ", the background among them" if benchmark.background else ""
        raise FeedsegError(f"{origin}: values has {len(values)} numbers for {benchmark.labels} classes{beside}")
    if len({*values}) < len(values) or max(values) > LARGEST_VALUE:
        raise FeedsegError(f"{origin}: values are different numbers of 0 to {LARGEST_VALUE}, one for every class")
    if benchmark.zero_is_ignored or benchmark.ignore_index in values:
        raise FeedsegError(f"{origin}: values are those of classes: give what does not count as ignore_index alone")


def _pattern(table: Table, key: str) -> str:
    pattern = table.text(key)
    if pattern is None:
        raise FeedsegError(f'{table.origin}: {key} is missing: a pattern of paths, as {key} = "{key}/{{id}}.png"')
    if pattern.count("{id}") != 1 or "*" in pattern:
        raise FeedsegError(f"{table.origin}: {key} must have {{id}} once where the image's name goes, not {pattern!r}")
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise FeedsegError(f"{table.origin}: {key} is a path below the root, not {pattern!r}")
    return pattern


def _words(entry: str, origin: str) -> Words:
    words = tuple(word.strip() for word in entry.split(";"))
    if not all(words):
        raise FeedsegError(f"{origin}: an empty name in {entry!r}")
    return words


_NUMBERED = re.compile(r"(\d+)\s*[:\t]\s*(.+)")
_PERHAPS_NUMBERED = re.compile(r"(\d+)(?:\s*[.),;-]\s*|\s+)(.+)")  # also "7 up", unless every line is like that


def read_names(path: Path) -> tuple[str, ...]:
    """Classes from a text file, one a line, in the order of the labels.

    Lines may be numbered, "1: accordion" or "1 accordion", from 0 or 1 and without gaps, up to 0 for what is no class.
    Commas, like semicolons, separate words of one class. Lines that begin with "#" are comments. Returned with
    semicolons.

    Raises:
        FeedsegError: the file cannot be read, is empty, or its numbers are not in order.
    """
    lines = read_lines(path, "the classes' names")
    if not lines:
        raise FeedsegError(f"{path} has no names")
    matches = [_NUMBERED.fullmatch(line) for line in lines]
    if not any(matches):
        perhaps = [_PERHAPS_NUMBERED.fullmatch(line) for line in lines]
        matches = perhaps if len(lines) > 1 and all(perhaps) else matches
    if any(matches):
        lines = [name for _, name in _in_order(path, matches, lines)]
    return tuple("; ".join(part.strip() for part in re.split("[;,]", line)) for line in lines)


def read_lines(path: Path, what: str) -> list[str]:
    """The lines of a text file in UTF-8, whatever ends them, without blank ones and comments, which begin with "#".

    Raises:
        FeedsegError: it is missing, cannot be read or is in another encoding; `what` is what it is called then.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FeedsegError(f"{what}, {path}, is missing") from None
    except UnicodeDecodeError as error:
        raise FeedsegError(f"{what}, {path}, is not a text file in UTF-8") from error
    except OSError as error:
        raise FeedsegError(f"{what}, {path}, cannot be read: {error.strerror or error}") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _in_order(path: Path, matches: Iterable[re.Match[str] | None], lines: list[str]) -> list[tuple[int, str]]:
    numbered: list[tuple[int, str]] = []
    for line, match in zip(lines, matches, strict=True):
        if match is None:
            raise FeedsegError(f"{path}: {line!r} has no number, other lines have")
        number = int(match[1])
        if number != (numbered[-1][0] + 1 if numbered else min(number, 1)):
            raise FeedsegError(f"{path}: {line!r} is out of order; the numbers go up by one from 0 or 1")
        numbered.append((number, match[2]))
    return numbered
