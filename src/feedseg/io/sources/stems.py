"""Names for results: no two images share one, and none belongs to an image that is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from feedseg.io.sources.base import Found, Job, resolved


def distinct_stems(images: Sequence[Found], out: Path, endings: tuple[str, ...]) -> list[Job]:
    """A stem of its own for every image: the plainest of its `stems` that no other has and whose files are no inputs.

    Where several would share one, all of them take the next, so that it does not matter which was given first. What
    then is still the same gets a number. Names that differ in case alone count as the same.

    Args:
        images: each once.
        out: the folder for the results.
        endings: of the results' names, in lower case: what is appended to a stem.
    """
    inputs = {key.casefold() for image in images if (key := image.key).lower().endswith(endings)}

    def hits(stem: Path) -> bool:
        """Whether a result under this stem would replace an input."""
        return bool(inputs) and any(
            resolved(stem.with_name(stem.name + ending)).casefold() in inputs for ending in endings
        )

    levels = [0] * len(images)
    while True:
        stems = [image.stems[level] for image, level in zip(images, levels, strict=True)]
        holders = Counter(str(stem).casefold() for stem in stems)
        shared = [
            index
            for index, stem in enumerate(stems)
            if levels[index] + 1 < len(images[index].stems) and (holders[str(stem).casefold()] > 1 or hits(out / stem))
        ]
        if not shared:
            break
        for index in shared:
            levels[index] += 1
    jobs = []
    taken: set[str] = set()
    for image, stem in zip(images, stems, strict=True):
        numbered, number = stem, 1
        while str(numbered).casefold() in taken or hits(out / numbered):
            number += 1
            numbered = stem.with_name(f"{stem.name}-{number}")
        taken.add(str(numbered).casefold())
        jobs.append(Job(image, out / numbered.parent, numbered.name))
    return jobs
