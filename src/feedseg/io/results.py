"""Saved results, read back: the labels and what their JSON says, checked against each other."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError, first_line
from feedseg.io import overlay as drawing
from feedseg.io.cleaning import Regions
from feedseg.io.images import read_image
from feedseg.io.writers.json import WRITER as RECORD
from feedseg.io.writers.labels import WRITER as LABELS
from feedseg.json_files import read_json_file
from feedseg.labelmap import LabelMap


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedResult(LabelMap):
    """A label map as it was saved, with what was written down of its confidence; the image only where it is found."""

    record: Path  # the JSON file
    mean_confidence: float  # over the image
    class_confidence: tuple[float | None, ...] = ()  # the same over each class, None for those without pixels

    @cached_property
    def image(self) -> np.ndarray:
        """(height, width, 3) uint8 RGB, read again from the file that was segmented.

        Raises:
            FeedsegError: it is not where it was, or has another size by now.
        """
        image = read_image(find_picture(self.source, self.record))
        if image.size != self.labels.shape:
            height, width = image.size
            raise FeedsegError(
                f"{image.source} is {width} × {height} by now, and its labels are {self.size[0]} × {self.size[1]}: "
                "segment it again"
            )
        return image.pixels

    def overlay(self, *, legend: bool = True, longest: int = drawing.LARGEST) -> Image.Image:
        """The image under its classes' colours, as `feedseg.segmentation.Segmentation.overlay` has it."""
        labels, names, background = self.labels, self.names, self.background
        return drawing.overlay(self.image, labels, names, background, self.palette, legend=legend, longest=longest)


@dataclass(frozen=True)
class Record:
    """What the JSON of a result says, checked; see `feedseg.io.writers.json` for the keys."""

    path: Path
    picture: str | None
    size: tuple[int, int]  # width and height
    names: tuple[str, ...]
    background: bool
    regions: Regions
    content: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Record:
        """From a JSON file. Raises FeedsegError where it cannot be read or is no record of a result."""
        path = Path(path)
        try:
            content = read_json_file(path)
        except FileNotFoundError as error:
            raise FeedsegError(f"{path} does not exist") from error
        except OSError as error:
            raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise FeedsegError(f"{path} is damaged ({first_line(error)}): segment its picture again") from error
        try:
            return cls(path, **_checked(content), content=content)
        except (KeyError, TypeError, ValueError, AttributeError, FeedsegError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else first_line(error)
            raise FeedsegError(f"{path} is no record of a result ({what}): segment its picture again") from error

    @property
    def stem(self) -> str:
        """How the names of the result's files begin."""
        return self.path.name.removesuffix(RECORD.suffix)

    @property
    def labels(self) -> Path:
        """The PNG with the labels."""
        return self.path.with_name(self.stem + LABELS.suffix)

    @property
    def digest(self) -> str:
        """Twelve letters that are the same for results that were made in the same way."""
        how = {key: self.content[key] for key in ("models", "settings", "threshold", "version")}
        how["regions"] = self.regions.describe()
        return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()[:12]


def read_result(json_file: str | os.PathLike[str]) -> SavedResult:
    """A result from its JSON and the PNG of its labels beside it.

    Raises:
        FeedsegError: one of the two is missing or damaged, or they do not fit each other.
    """
    return labelled(Record.read(json_file))


def labelled(record: Record) -> SavedResult:
    """The result of a record. Raises FeedsegError as `read_result` does."""
    content = record.content
    classes = content["classes"]
    labels = _read_labels(record)
    colours = tuple((c[0], c[1], c[2]) for c in (bytes.fromhex(one["colour"].removeprefix("#")) for one in classes))
    try:
        result = SavedResult(
            labels=labels,
            names=record.names,
            source=record.picture,
            background=record.background,
            threshold=content["threshold"],
            synonyms=tuple(tuple(one["words"]) for one in classes),
            colours=colours,
            models=content["models"],
            settings=content["settings"],
            regions=record.regions,
            record=record.path,
            mean_confidence=content["mean_confidence"],
            class_confidence=tuple(one.get("mean_confidence") for one in classes),
        )
    except ValueError as error:
        raise FeedsegError(f"{record.labels} does not fit {record.path.name}: {first_line(error)}") from error
    for one, pixels in zip(classes, result.pixels.values(), strict=True):
        if one["pixels"] != pixels:
            raise FeedsegError(
                f"{record.labels} does not fit {record.path.name}: {pixels} pixels of {one['name']!r}, "
                f"not {one['pixels']}; segment the picture again"
            )
    return result


def find_results(folder: str | os.PathLike[str]) -> list[Path]:
    """The JSON files of the results below a folder, sorted by path.

    Raises:
        FeedsegError: there is no such folder, or no result in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FeedsegError(f"{folder} is {'no folder' if folder.exists() else 'not there'}: give a folder of results")
    found = [path for path in folder.rglob(f"*{RECORD.suffix}") if not path.name.startswith(".") and path.is_file()]
    if not found:
        raise FeedsegError(f"{folder} has no results: there is no file that ends in {RECORD.suffix}")
    return sorted(found, key=lambda path: path.as_posix())


def find_picture(picture: str | None, record: Path) -> Path:
    """The file that a result was made from: as its path was given, or from the folder of the record.

    Raises:
        FeedsegError: it is in neither place, or the result was made from no file.
    """
    if picture is None:
        raise FeedsegError(f"{record} was made from an image without a file, which this format needs")
    places = [Path(picture), record.parent / picture, record.parent / PurePath(picture).name]
    for place in places:
        if place.is_file():
            return place
    raise FeedsegError(
        f"{picture}, which {record} was made from, is not there: run this where it can be found under that path, "
        "or put it beside the record"
    )


class Results:
    """Saved results in the order of their paths, whatever the order they were finished in, read one at a time."""

    def __init__(
        self,
        records: Iterable[str | os.PathLike[str]],
        folder: str | os.PathLike[str] = ".",
        prepare: Callable[[SavedResult], SavedResult] = lambda result: result,
    ) -> None:
        """From JSON files.

        Args:
            records: the files, in any order.
            folder: what names are relative to where a result was made from no file.
            prepare: what becomes of each result once it is read.
        """
        self._folder = Path(folder)
        self._prepare = prepare
        self._paths = sorted({Path(record) for record in records}, key=lambda path: path.as_posix())

    def __len__(self) -> int:
        return len(self._paths)

    def records(self) -> Iterator[Record]:
        """What the JSON files say, without the labels."""
        return map(Record.read, self._paths)

    def __iter__(self) -> Iterator[SavedResult]:
        return (self._prepare(labelled(record)) for record in self.records())

    @cached_property
    def classes(self) -> tuple[tuple[str, ...], bool]:
        """The classes of all results, and whether the first is the background.

        Raises:
            FeedsegError: they have not all the same ones; there is no result.
        """
        first: Record | None = None
        for record in self.records():
            first = first or record
            if (record.names, record.background) != (first.names, first.background):
                raise FeedsegError(
                    f"{record.path} has other classes than {first.path}: one list of classes cannot serve both; "
                    "export them from folders of their own"
                )
        if first is None:
            raise FeedsegError("there are no results to export")
        return first.names, first.background

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """How the image of each is called from the folder that holds them all, with forward slashes.

        Where one of them has no file, two have the same or they have no folder in common, it is each record's stem.
        """
        given = [record.picture for record in self.records()]
        files = [os.path.normpath(picture) for picture in given if picture is not None]
        if len(files) < len(given) or any(map(os.path.isabs, files)) != all(map(os.path.isabs, files)):
            return self._stems
        try:
            common = os.path.commonpath([os.path.dirname(file) for file in files]) if files else ""  # noqa: PTH120
        except ValueError:  # several drives of Windows
            return self._stems
        names = tuple(Path(os.path.relpath(file, common or ".")).as_posix() for file in files)
        return names if len({*names}) == len(names) else self._stems

    @property
    def _stems(self) -> tuple[str, ...]:
        stems = []
        for path in self._paths:
            inside = path.relative_to(self._folder) if path.is_relative_to(self._folder) else Path(path.name)
            stems.append(inside.as_posix().removesuffix(RECORD.suffix))
        return tuple(stems)


def _checked(content: Any) -> dict[str, Any]:
    """The fields of a record; KeyError, TypeError, ValueError or AttributeError if it is none."""
    picture, size, names, classes = content["picture"], content["size"], content["names"], content["classes"]
    if not isinstance(picture, str | None):
        raise TypeError("the picture is no path")
    if not all(isinstance(side, int) and side > 0 for side in (size["width"], size["height"])):
        raise ValueError("the size is none")
    if [one["name"] for one in classes] != names or not all(isinstance(name, str) for name in names):
        raise ValueError("names and classes differ")
    for one in classes:
        _check_class(one)
    for key, kind in (("background", bool), ("models", dict), ("settings", dict), ("version", str)):
        if not isinstance(content[key], kind):
            raise TypeError(f"{key} is no {kind.__name__}")
    if not all(isinstance(model, dict) for model in content["models"].values()):
        raise TypeError("a model is no object")
    for key in ("mean_confidence", "threshold"):
        if not isinstance(content[key], int | float):
            raise TypeError(f"{key} is no number")
    return {
        "picture": picture,
        "size": (size["width"], size["height"]),
        "names": tuple(names),
        "background": content["background"],
        "regions": Regions(**content.get("regions", {})),
    }


def _check_class(one: Any) -> None:
    """KeyError, TypeError, ValueError or AttributeError if this is no class of a record."""
    if len(bytes.fromhex(one["colour"].removeprefix("#"))) != 3 or not isinstance(one["pixels"], int):
        raise ValueError(f"class {one['name']!r} has no colour or no pixels")
    if not all(isinstance(word, str) for word in one["words"]):
        raise TypeError(f"class {one['name']!r} has no words")
    if not isinstance(one.get("mean_confidence"), int | float | None):
        raise TypeError(f"the confidence of class {one['name']!r} is no number")


def _read_labels(record: Record) -> np.ndarray:
    path = record.labels
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.size != record.size:
                there, said = ("{} × {}".format(*size) for size in (image.size, record.size))
                raise FeedsegError(f"{path} is {there}, and {record.path.name} says {said}: segment the picture again")
            if image.mode not in ("P", "L", "I;16"):
                raise FeedsegError(f"{path} is a PNG of mode {image.mode}, not one of labels")
            labels = np.array(image)
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} is missing: {record.path.name} alone does not say where the classes are") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise FeedsegError(f"{path} cannot be read: {first_line(error)}") from error
    labels.flags.writeable = False
    return labels


def known_classes(records: Iterable[Path]) -> list[str]:
    """All classes of all results, each once; what cannot be read has none."""
    names: dict[str, None] = {}
    for path in records:
        with suppress(FeedsegError):
            names |= dict.fromkeys(Record.read(path).names)
    return list(names)
