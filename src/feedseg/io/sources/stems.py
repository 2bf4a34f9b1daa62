"""Names for results: no two images share one, each keeps the one it has, and none belongs to what is not ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath

from feedseg.io.sources.base import Found, Job, resolved


def distinct_stems(
    images: Sequence[Found],
    out: Path,
    endings: tuple[str, ...],
    named: Mapping[str, str] | None = None,
    identify: Callable[[Found], str] = lambda image: image.key,
    foreign: Callable[[Path, Found], bool] = lambda stem, image: False,
) -> list[Job]:
    """A stem of its own for every image: the plainest of its `stems` that no other has and whose files are no inputs.

    Where several would share one, all of them take the next, so that it does not matter which was given first. What
    then is still the same gets a number. Names that differ in case alone count as the same.

    Args:
        images: each once.
        out: the folder for the results.
        endings: of the results' names, in lower case: what is appended to a stem.
        named: the stems that images have already, also of others than these, by what `identify` gives.
        identify: what tells an image from all others.
        foreign: whether results under a stem (a path) would replace something that is neither ours nor an input.
    """
    named = named or {}
    holders = {stem.casefold(): identity for identity, stem in named.items()}
    inputs = {key.casefold() for image in images if (key := image.key).lower().endswith(endings)}

    def hits(stem: Path, image: Found) -> bool:
        """Whether a result under this stem would replace an input or something that is not ours."""
        return foreign(stem, image) or (
            bool(inputs)
            and any(resolved(stem.with_name(stem.name + ending)).casefold() in inputs for ending in endings)
        )

    new = [image for image in images if identify(image) not in named]
    rivals = [[holders[key] for stem in image.stems if (key := _key(stem)) in holders] for image in new]
    levels = [0] * len(new)
    while True:
        stems = [image.stems[level] for image, level in zip(new, levels, strict=True)]
        shared = Counter(map(_key, stems))
        rising = [
            index
            for index, (image, stem) in enumerate(zip(new, stems, strict=True))
            if levels[index] + 1 < len(image.stems)
            and (
                shared[_key(stem)] > 1
                or _key(stem) in holders
                or any(_could_be(rival, image, levels[index]) for rival in rivals[index])
                or hits(out / stem, image)
            )
        ]
        if not rising:
            break
        for index in rising:
            levels[index] += 1
    chosen = dict(named)
    taken = set(holders)
    for image, stem in zip(new, stems, strict=True):
        numbered, number = stem, 1
        while _key(numbered) in taken or hits(out / numbered, image):
            number += 1
            numbered = stem.with_name(f"{stem.name}-{number}")
        taken.add(_key(numbered))
        chosen[identify(image)] = numbered.as_posix()
    paths = [out / chosen[identify(image)] for image in images]
    return [Job(image, path.parent, path.name) for image, path in zip(images, paths, strict=True)]


def _key(stem: PurePath) -> str:
    return stem.as_posix().casefold()


def _could_be(rival: str, image: Found, level: int) -> bool:
    """Whether an image that holds one of the plainer stems could as well have that of this level."""
    tail = (image.inside if level < 2 else image.home / image.inside).parts
    return PurePosixPath(rival).parts[-len(tail) :] == tail
