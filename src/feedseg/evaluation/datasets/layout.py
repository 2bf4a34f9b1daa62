"""Where the files of a benchmark stand below its root."""

from __future__ import annotations

import re
from collections import Counter
from os import walk
from pathlib import Path, PurePosixPath

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark, read_lines


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
        FeedsegError: the split is missing, unreadable, empty or names an image twice; there are no images.
    """
    if benchmark.split is None:
        ids = matching_ids(benchmark.images, root)
        # Where images and masks share folder and suffix, the pattern of the images fits the masks as well.
        masks = {benchmark.mask(root, one) for one in ids}
        ids = [one for one in ids if benchmark.image(root, one) not in masks]
        if not ids:
            raise FeedsegError(f"there are no images {benchmark.image(root, '…')}")
        return ids
    path = root / benchmark.split
    ids = read_lines(path, "the list of images")
    if not ids:
        raise FeedsegError(f"the list of images, {path}, is empty")
    twice = [one for one, times in Counter(ids).items() if times > 1]
    if twice:
        raise FeedsegError(f"the list of images, {path}, has {twice[0]} more than once")
    return ids


def matching_ids(pattern: str, root: Path) -> list[str]:
    """The ids of all files below a root that a pattern with {id} fits, sorted; an id may hold slashes."""
    form = _form(pattern)
    found = []
    for folder, _, names in walk(root / _start(pattern), followlinks=True):
        inside = Path(folder).relative_to(root)
        for name in names:
            if match := form.fullmatch((inside / name).as_posix()):
                found.append(match[1])
    return sorted(found)


def other_files(benchmark: Benchmark, root: Path) -> list[Path]:
    """The files beside the images that are neither images nor masks by their patterns, sorted; hidden ones left out."""
    images, masks = (_form(pattern) for pattern in (benchmark.images, benchmark.masks))
    found = []
    for folder in sorted({benchmark.image(root, one).parent for one in matching_ids(benchmark.images, root)}):
        for path in sorted(folder.iterdir()):
            inside = path.relative_to(root).as_posix()
            if path.is_file() and path.name[0] != "." and not images.fullmatch(inside) and not masks.fullmatch(inside):
                found.append(path)
    own = benchmark.file and benchmark.file.absolute()
    names = {root / name for name in (benchmark.split, benchmark.names) if name}
    return [path for path in found if path.absolute() != own and path not in names]


def _form(pattern: str) -> re.Pattern[str]:
    """What fits a pattern with {id}; an id may hold slashes."""
    before, after = map(re.escape, pattern.split("{id}"))
    return re.compile(f"{before}(.+){after}")


def _start(pattern: str) -> PurePosixPath:
    """The folder that everything a pattern fits lies in."""
    return PurePosixPath(pattern.partition("{id}")[0] + "x").parent


def _looks_like_root(benchmark: Benchmark, folder: Path) -> bool:
    if benchmark.split is not None:
        return (folder / benchmark.split).is_file()
    return (folder / _start(benchmark.images)).is_dir()
