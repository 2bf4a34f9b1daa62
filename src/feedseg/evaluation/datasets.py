"""Pictures with their true segmentation, from every benchmark's own layout of files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import walk
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base as Exif

from feedseg.errors import FeedsegError
from feedseg.evaluation.benchmarks import LARGEST_VALUE, Benchmark
from feedseg.evaluation.scenes_dataset import SceneSample
from feedseg.pictures import Picture, read_picture

IGNORED = -1  # in a truth: the pixel does not count
INDEXED = ("P", "L", "1", "I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes with one number a pixel


class Sample(Protocol):
    """A picture and the truth about it; cheap until it is read, and fit for other processes."""

    @property
    def name(self) -> str: ...

    def read(self) -> tuple[Picture, np.ndarray]:
        """The picture, and the class of every pixel, (height, width), int32, IGNORED where it does not count.

        Raises FeedsegError, naming the file, if a file cannot be used.
        """
        ...


@dataclass(frozen=True)
class MaskValues:
    """What the values of a data set's masks mean."""

    labels: int  # how many there are, with the background
    zero_is_ignored: bool
    ignore_index: int | None

    @classmethod
    def of(cls, benchmark: Benchmark) -> MaskValues:
        """Those of a benchmark."""
        return cls(benchmark.labels, benchmark.zero_is_ignored, benchmark.ignore_index)

    @property
    def first(self) -> int:
        """The value of label 0."""
        return int(self.zero_is_ignored)

    @property
    def last(self) -> int:
        """The value of the last label."""
        return self.first + self.labels - 1

    def truth(self, values: np.ndarray) -> np.ndarray:
        """Labels, int32, from a mask's values; IGNORED where they do not count. For values that are known."""
        truth = values.astype(np.int32) - self.first
        truth[(values < self.first) | (values > self.last)] = IGNORED
        return truth

    def unknown(self, values: np.ndarray) -> list[int]:
        """The values that are neither of a label nor ignored, ascending."""
        found = np.flatnonzero(np.bincount(values.ravel(), minlength=1)).tolist()
        ignored = {self.ignore_index} | ({0} if self.zero_is_ignored else set())
        return [value for value in found if not self.first <= value <= self.last and value not in ignored]


@dataclass(frozen=True)
class FileSample:
    """A picture and a mask that lie on the disk."""

    name: str
    image: Path
    mask: Path
    values: MaskValues

    def read(self) -> tuple[Picture, np.ndarray]:
        """See `Sample`."""
        picture, values = read_stored(self.image), read_mask(self.mask)
        if picture.size != values.shape:
            raise FeedsegError(different_sizes(self.image, self.mask, picture.size, values.shape))
        if wrong := self.values.unknown(values):
            raise FeedsegError(f"{self.mask} {wrong_values(wrong, self.values)}")
        return picture, self.values.truth(values)


def find_samples(benchmark: Benchmark, root: Path | None, limit: int | None = None) -> list[Sample]:
    """The samples of a benchmark, in the order of its split, or by name.

    Args:
        benchmark: which one.
        root: the folder that its paths stand below. None: beside a user's own file; a drawn benchmark has none.
        limit: no more than the first so many.

    Raises:
        FeedsegError: there is no root; the split, the pictures, or a picture or mask of a sample are not there.
    """
    if limit is not None and limit < 1:
        raise FeedsegError(f"the limit is at least one picture, not {limit}")
    if benchmark.is_drawn:
        names = tuple(words[0] for words in benchmark.classes)
        count = benchmark.pictures or 0
        return [SceneSample(index, names) for index in range(min(count, limit or count))]
    folder = root_of(benchmark, root)
    advice = f"`feedseg data check {shown_name(benchmark)} {folder}` says more"
    ids = list_ids(benchmark, folder)[:limit]
    values = MaskValues.of(benchmark)
    samples: list[Sample] = [
        FileSample(one, folder / benchmark.images.format(id=one), folder / benchmark.masks.format(id=one), values)
        for one in ids
    ]
    for what in ("image", "mask"):
        lost = [getattr(sample, what) for sample in samples if not getattr(sample, what).is_file()]
        if lost:
            noun = "picture" if what == "image" else "mask"
            raise FeedsegError(f"{len(lost)} of {len(ids)} {noun}s are missing, the first is {lost[0]}; {advice}")
    return samples


def root_of(benchmark: Benchmark, root: Path | None) -> Path:
    """The folder that the benchmark's paths stand below.

    Raises:
        FeedsegError: there is none, or the data lie one or two folders deeper or higher.
    """
    folder = root or benchmark.home
    if folder is None:
        hint = f", usually called {benchmark.root_hint}" if benchmark.root_hint else ""
        raise FeedsegError(f"{benchmark.name} needs its data: give the folder{hint}")
    if not folder.is_dir():
        raise FeedsegError(f"{folder} is not a folder; {benchmark.name} needs the one that holds its data")
    if not _is_root(benchmark, folder) and (better := nearby_root(benchmark, folder)):
        raise FeedsegError(f"{folder} is not the root of {benchmark.name}: it is {better}")
    return folder


def shown_name(benchmark: Benchmark) -> str:
    """What the command line calls it; for a user's own the file is not known here."""
    return benchmark.name if benchmark.home is None else "FILE"


def list_ids(benchmark: Benchmark, root: Path) -> list[str]:
    """The ids of the split in its order, or of all pictures, sorted.

    Raises:
        FeedsegError: the split is missing, unreadable, empty or names a picture twice; there are no pictures.
    """
    if benchmark.split is None:
        ids = matching_ids(benchmark.images, root)
        # Where pictures and masks share folder and suffix, the pattern of the pictures fits the masks as well.
        masks = {benchmark.masks.format(id=one) for one in ids}
        ids = [one for one in ids if benchmark.images.format(id=one) not in masks]
        if not ids:
            raise FeedsegError(
                f"there are no pictures {benchmark.images.format(id='…')} in {root}; "
                f"`feedseg data check {shown_name(benchmark)} {root}` says more"
            )
        return ids
    path = root / benchmark.split
    try:
        ids = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        raise FeedsegError(
            f"the list of pictures, {path}, is missing; `feedseg data check {shown_name(benchmark)} {root}` says more"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FeedsegError(f"the list of pictures, {path}, cannot be read: {error}") from error
    if not ids:
        raise FeedsegError(f"the list of pictures, {path}, is empty")
    if len(set(ids)) < len(ids):
        twice = next(one for index, one in enumerate(ids) if one in ids[:index])
        raise FeedsegError(f"the list of pictures, {path}, has {twice} twice")
    return ids


def matching_ids(pattern: str, root: Path) -> list[str]:
    """The ids of all files below a root that a pattern with {id} fits, sorted; an id may hold slashes."""
    start = PurePosixPath(pattern.partition("{id}")[0] + "x").parent
    before, after = map(re.escape, pattern.split("{id}"))
    form = re.compile(f"{before}(.+){after}")
    found = []
    for folder, _, names in walk(root / start, followlinks=True):
        inside = Path(folder).relative_to(root)
        for name in names:
            if match := form.fullmatch((inside / name).as_posix()):
                found.append(match[1])
    return sorted(found)


def _is_root(benchmark: Benchmark, folder: Path) -> bool:
    if benchmark.split is not None:
        return (folder / benchmark.split).is_file()
    start = PurePosixPath(benchmark.images.partition("{id}")[0] + "x").parent
    return (folder / start).is_dir()


def nearby_root(benchmark: Benchmark, folder: Path) -> Path | None:
    """The folder above, below or beside this one that looks like the root, if there is one."""
    folder = folder.absolute()
    hint = PurePosixPath(benchmark.root_hint).parts
    likely = [folder.joinpath(*hint[index:]) for index in range(len(hint))]
    children = sorted(child for child in folder.iterdir() if child.is_dir())[:100]
    for one in (*likely, *children, *folder.parents[:3]):
        if one != folder and one.is_dir() and _is_root(benchmark, one):
            return one
    return None


def read_stored(path: Path) -> Picture:
    """A picture as it is stored, whatever orientation its EXIF gives.

    Masks are drawn upon the stored grid of pixels and have no EXIF of their own, so turning the picture would part
    the two.

    Raises:
        FeedsegError: it is missing, unreadable or no picture.
    """
    with opened(path) as image:
        image.getexif().pop(Exif.Orientation, None)
        try:
            return replace(read_picture(image), source=str(path))
        except FeedsegError as error:
            raise FeedsegError(f"{path}: {error}") from error


def read_mask(path: Path) -> np.ndarray:
    """The numbers in an indexed, grey, 1-bit or 16-bit mask, (height, width), uint8 or uint16.

    Raises:
        FeedsegError: it is missing, unreadable, or holds colours or numbers that are no values of a mask.
    """
    with opened(path) as image:
        check_mode(path, image.mode)
        values = np.asarray(image)
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.itemsize > 2:
        if values.min() < 0 or values.max() > LARGEST_VALUE:
            raise FeedsegError(f"{path} holds numbers outside 0 to {LARGEST_VALUE}, which no mask does")
        return values.astype(np.uint16)
    return values.astype(values.dtype.newbyteorder("="))


def check_mode(path: Path, mode: str) -> None:
    """Complain about a mask that does not hold one number a pixel, by Pillow's name for what it holds."""
    if mode not in INDEXED:
        raise FeedsegError(
            f"{path} holds colours ({mode}) instead of a class number a pixel: masks are indexed or grey images"
        )


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An open image; whatever Pillow raises inside becomes a FeedsegError that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} is missing") from error
    except UnidentifiedImageError as error:
        raise FeedsegError(f"{path} is not an image in a known format") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise FeedsegError(f"{path} cannot be read: {error}") from error


def different_sizes(image: Path, mask: Path, size: Sequence[int], other: Sequence[int]) -> str:
    """What to tell of a picture and a mask that do not fit: sizes are height and width."""
    text = f"{image} has {size[1]} × {size[0]} pixels, its mask {mask} {other[1]} × {other[0]}"
    if tuple(size) == tuple(reversed(other)):
        text += "; one of the two is turned: photographs are read as stored, whatever their EXIF orientation says"
    return text


def wrong_values(wrong: Sequence[int], values: MaskValues) -> str:
    """What to tell of a mask with values that mean nothing."""
    several = f"the value {wrong[0]}" if len(wrong) == 1 else f"the values {', '.join(map(str, wrong[:5]))}"
    several += ", …" if len(wrong) > 5 else ""
    ignored = [] if values.ignore_index is None else [str(values.ignore_index)]
    ignored += ["0"] if values.zero_is_ignored else []
    beside = f" and {' and '.join(ignored)} for what does not count" if ignored else ""
    advice = "" if values.ignore_index is not None else "; for pixels that do not count give ignore_index"
    return f"holds {several}, but classes have {values.first} to {values.last}{beside}{advice}"
