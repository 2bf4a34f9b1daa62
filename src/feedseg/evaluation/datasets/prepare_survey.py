"""What downloaded masks hold, all together, before one of them is converted: a file alone may look right and not be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from feedseg.engine.local import load_ahead
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.masks import read_mask
from feedseg.evaluation.toml_files import RAW_VALUES, read_toml
from feedseg.io.reading import HERE, FileReader


def survey(
    name: str,
    sources: Sequence[Path],
    advance: Callable[[int, int], None] | None = None,
    reader: FileReader = HERE,
) -> str:
    """Read all masks that are to be converted, and see what their numbers are.

    Args:
        name: what is prepared.
        sources: the downloaded masks; one that cannot be read is left to the conversion, which says so.
        advance: called after every file: how many are done, of how many.
        reader: reads the masks.

    Returns:
        what is to be told although they can be converted, or nothing.

    Raises:
        FeedsegError: they are numbered otherwise than those that are downloaded.
    """
    where: dict[int, Path] = {}  # for every value the first mask that holds it
    for done, (path, values) in enumerate(_values(sources, reader), start=1):
        for value in values:
            where.setdefault(value, path)
        if advance:
            advance(done, len(sources))
    if name == "cityscapes":
        return _cityscapes(where)
    return _coco(where) if name in ("coco-stuff", "coco-object") else ""


def _values(sources: Sequence[Path], reader: FileReader) -> Iterator[tuple[Path, list[int]]]:
    def values_of(path: Path) -> list[int]:
        try:
            return np.flatnonzero(np.bincount(read_mask(path, reader).ravel())).tolist()
        except FeedsegError:
            return []

    with closing(load_ahead(values_of, sources, min(8, os.cpu_count() or 1), reader.interrupt)) as found:
        for path, values in found:
            yield path, values()


def _coco(where: Mapping[int, Path]) -> str:
    """Whether pixel maps hold category ids less one, as downloaded, or from 1, as COCO's interface has them."""
    facts = read_toml(RAW_VALUES)["coco-stuff"]
    as_stored = {*range(facts["last"] + 1), facts["unlabelled"]} - {*facts["unused"]}
    from_one = {0} | {value + 1 for value in range(facts["last"] + 1) if value not in facts["unused"]}
    if not where or not from_one.issuperset(where):
        return ""
    strange = sorted(value for value in where if value not in as_stored)
    if strange:
        raise FeedsegError(
            f"the maps start at 1, as {where[strange[-1]]} with {strange[-1]}: they hold COCO's category ids, 0 for "
            "unlabelled; those of stuffthingmaps_trainval2017.zip are one lower, with 255 for unlabelled: take these"
        )
    few = "too few values to tell whether the maps start at 0, as downloaded, or at 1: taken as downloaded"
    return few if 0 in where else ""


def _cityscapes(where: Mapping[int, Path]) -> str:
    """Whether masks are labelIds, or the training ids that are to be made."""
    if 255 in where and max((value for value in where if value != 255), default=0) < 19:
        raise FeedsegError(
            f"these are labelTrainIds already, as {where[255]} with 255: prepare takes the labelIds, 0 to 33"
        )
    return ""
