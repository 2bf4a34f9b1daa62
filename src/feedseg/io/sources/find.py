"""The images that arguments lead to, each once and with a name of its own for its results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from feedseg.io.sources import SOURCES
from feedseg.io.sources.base import Failure, Found, Job, Source
from feedseg.io.sources.stems import distinct_stems
from feedseg.io.writers import suffixes


def find_images(
    arguments: Iterable[str], out: Path, *, sources: Iterable[str | Source] = (), endings: Iterable[str] = ()
) -> tuple[list[Job], list[Failure]]:
    """The images that arguments lead to, each once; and the arguments, or parts of them, that lead to none.

    Args:
        arguments: files, folders, or what else a source takes.
        out: the folder for the results.
        sources: of one's own, asked before the registered ones.
        endings: of results beside those of the registered writers; in folders such files are not searched for.
    """
    asked = sorted((SOURCES.load(source) for source in (*sources, *SOURCES.names())), key=lambda source: source.last)
    ends = tuple({ending.lower() for ending in (*suffixes(), *endings)})
    images: dict[str, Found] = {}
    failures: list[Failure] = []
    for argument in arguments:
        found: list[Found] = []
        try:
            for one in _find(argument, asked, ends):
                if isinstance(one, Failure):
                    failures.append(one)
                else:
                    found.append(one)
        except OSError as error:
            failures.append(Failure(argument, f"{argument} cannot be read: {error.strerror}"))
        else:
            for image in found:
                images.setdefault(image.key, image)
    return distinct_stems(list(images.values()), out, ends), failures


def _find(argument: str, sources: Iterable[Source], endings: tuple[str, ...]) -> Iterable[Found | Failure]:
    if not argument:
        return [Failure("", "an empty name stands among the images")]
    source = next(source for source in sources if source.takes(argument))
    return source.find(argument, endings)
