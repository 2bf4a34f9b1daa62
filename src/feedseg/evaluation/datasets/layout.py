"""Where the files of a benchmark stand below its root."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from os import walk
from pathlib import Path, PurePosixPath

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, read_lines

# Suffixes that mean the same; every suffix also means the same in another case.
_SAME = ((".jpg", ".jpeg", ".jpe", ".jfif"), (".tif", ".tiff"))


def root_of(benchmark: Benchmark, root: Path | None) -> Path:
    """The folder that the benchmark's paths stand below.

    Raises:
        FeedsegError: there is none, or the data lie in a folder nearby.
    """
    folder = root or (benchmark.file and benchmark.file.parent)
    if folder is None:
        hint = f", usually called {benchmark.root_hint}" if benchmark.root_hint else ""
        raise FeedsegError(f"{benchmark.name} needs its data: give the folder{hint}")
    if not folder.is_dir():
        raise FeedsegError(f"{folder} is not a folder; {benchmark.name} needs the one that holds its data")
    if better := nearby_root(benchmark, folder):
        raise FeedsegError(f"{folder} is not the root of {benchmark.name}: {better} is")
    return folder


def root_below(benchmark: Benchmark, folder: Path | None) -> Path | None:
    """The benchmark's root: the folder that was given, or the one below it that looks like it."""
    if folder is None or benchmark.is_drawn or not folder.is_dir():
        return folder
    root = nearby_root(benchmark, folder)
    return root if root is not None and root.absolute().is_relative_to(folder.absolute()) else folder


def nearby_root(benchmark: Benchmark, folder: Path) -> Path | None:
    """The folder above, below or beside this one that looks like the root, unless this one does or none."""
    if _looks_like_root(benchmark, folder):
        return None
    hint = PurePosixPath(benchmark.root_hint).parts
    below = [folder.joinpath(*hint[index:]) for index in range(len(hint))]
    below += sorted(child for child in folder.iterdir() if child.is_dir())[:100]
    for one in (*below, *folder.absolute().parents[:3]):
        if one.is_dir() and _looks_like_root(benchmark, one):
            return one
    return None


def list_ids(benchmark: Benchmark, root: Path) -> list[str]:
    """The ids of the split in its order, or of all images, sorted.

    Raises:
        FeedsegError: the split is missing, unreadable, empty or names an image twice; there are no images; an image or
            mask is there in two files, which differ in the suffix.
    """
    if benchmark.split is None:
        ids = matching_ids(benchmark.images, root)
        # Where images and masks share folder and suffix, the pattern of the images fits the masks as well.
        masks = {mask_of(benchmark, root, one) for one in ids}
        ids = [one for one in ids if image_of(benchmark, root, one) not in masks]
        if not ids:
            raise FeedsegError(f"there are no images {benchmark.image(root, '…')}")
        _check_single(benchmark, root, ids)
        return ids
    path = root / benchmark.split
    ids = read_lines(path, "the list of images")
    if not ids:
        raise FeedsegError(f"the list of images, {path}, is empty")
    twice = [one for one, times in Counter(ids).items() if times > 1]
    if twice:
        raise FeedsegError(f"the list of images, {path}, has {twice[0]} more than once")
    _check_single(benchmark, root, ids)
    return ids


def image_of(benchmark: Benchmark, root: Path, one: str) -> Path:
    """The file of the image with an id, whatever the case of its suffix: ".JPG" and ".jpeg" are read as ".jpg".

    Where there is none, the path that the pattern gives.
    """
    return existing(benchmark.image(root, one))


def mask_of(benchmark: Benchmark, root: Path, one: str) -> Path:
    """The file of the mask with an id; see `image_of`."""
    return existing(benchmark.mask(root, one))


def matching_ids(pattern: str, root: Path) -> list[str]:
    """The ids of all files below a root that a pattern with {id} fits, sorted; an id may hold slashes."""
    return sorted(_files_by_id(pattern, root))


def other_files(benchmark: Benchmark, root: Path) -> list[Path]:
    """The files beside the images that are neither images nor masks by their patterns, sorted; hidden ones left out."""
    images, masks = (_form(pattern) for pattern in (benchmark.images, benchmark.masks))
    found = []
    for folder in sorted({image_of(benchmark, root, one).parent for one in matching_ids(benchmark.images, root)}):
        for path in sorted(folder.iterdir()):
            inside = path.relative_to(root).as_posix()
            if path.is_file() and path.name[0] != "." and not images.fullmatch(inside) and not masks.fullmatch(inside):
                found.append(path)
    own = benchmark.file and benchmark.file.absolute()
    names = {root / name for name in (benchmark.split, benchmark.names) if name}
    return [path for path in found if path.absolute() != own and path not in names]


def _files_by_id(pattern: str, root: Path) -> dict[str, list[Path]]:
    """All files below a root that a pattern fits, by their id: more than one where they differ in the suffix."""
    form = _form(pattern)
    found: dict[str, list[Path]] = {}
    for folder, _, names in walk(root / _start(pattern), followlinks=True):
        inside = Path(folder).relative_to(root)
        for name in names:
            if match := form.fullmatch((inside / name).as_posix()):
                found.setdefault(match[1], []).append(root / inside / name)
    return found


def _check_single(benchmark: Benchmark, root: Path, ids: Collection[str]) -> None:
    """Complain about an id with two files, of which nobody can say which one is meant."""
    wanted = {*ids}
    for noun, pattern in (("image", benchmark.images), ("mask", benchmark.masks)):
        for one, paths in _files_by_id(pattern, root).items():
            if one in wanted and len(paths) > 1:
                first, second, *_ = sorted(paths)
                raise FeedsegError(f"the {noun} {one} is there twice, as {first} and {second}: leave one of them there")


def existing(path: Path) -> Path:
    """The path, or the one that is there with another suffix of the same meaning."""
    if path.is_file():
        return path
    variants = (path.with_suffix(cased) for suffix in _same(path.suffix) for cased in _cases(suffix))
    return next((variant for variant in variants if variant.is_file()), path)


def _same(suffix: str) -> tuple[str, ...]:
    """The suffixes that mean the same as this one, in lower case."""
    small = suffix.lower()
    return next((group for group in _SAME if small in group), (small,))


def _cases(suffix: str) -> tuple[str, ...]:
    """How a suffix in lower case is written: ".jpg", ".JPG", ".Jpg"."""
    return suffix, suffix.upper(), suffix[:1] + suffix[1:].capitalize()


def _form(pattern: str) -> re.Pattern[str]:
    """What fits a pattern with {id}, with any suffix of the same meaning; an id may hold slashes."""
    before, after = pattern.split("{id}")
    suffix = PurePosixPath("x" + after).suffix
    spellings = "|".join(re.escape(cased) for same in _same(suffix) for cased in _cases(same))
    return re.compile(f"{re.escape(before)}(.+){re.escape(after.removesuffix(suffix))}(?:{spellings})")


def _start(pattern: str) -> PurePosixPath:
    """The folder that everything a pattern fits lies in."""
    return PurePosixPath(pattern.partition("{id}")[0] + "x").parent


def _looks_like_root(benchmark: Benchmark, folder: Path) -> bool:
    if benchmark.split is not None:
        return (folder / benchmark.split).is_file()
    return (folder / _start(benchmark.images)).is_dir()
