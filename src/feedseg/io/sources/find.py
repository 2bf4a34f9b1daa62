"""The images that arguments lead to, each once; nothing is passed over in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from feedseg.io.sources import SOURCES
from feedseg.io.sources.base import Failure, Finding, Found, Given, Refused, Search, Skipped, Source, resolved

TWICE = "given more than once"


@dataclass
class Findings:
    """What arguments lead to."""

    images: list[Found] = field(default_factory=list)  # each once
    failures: list[Failure] = field(default_factory=list)  # arguments, or parts of them, that lead to none
    skipped: Counter[str] = field(default_factory=Counter)  # what else lies there, by its kind


def find_images(
    arguments: Iterable[str], search: Search | None = None, *, sources: Iterable[str | Source] = ()
) -> Findings:
    """The images that arguments lead to, and what else there is.

    Args:
        arguments: files, folders, or what else a source takes.
        search: what is looked for, and what is allowed.
        sources: of one's own, asked before the registered ones.
    """
    asked = sorted((SOURCES.load(source) for source in (*sources, *SOURCES.names())), key=lambda source: source.last)
    search = search or Search()
    collected = _Collected()
    waiting = list(arguments)[::-1]
    while waiting:
        argument = waiting.pop()
        found: list[Found] = []
        listed: list[str] = []
        try:
            for one in _find(argument, asked, search):
                if isinstance(one, Given):
                    listed.append(one.argument)
                elif isinstance(one, Found):
                    found.append(one)
                else:
                    collected.add_other(one)
        except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it, which no file has
            reason = getattr(error, "strerror", None) or error
            collected.add_other(Failure(argument, f"{argument} cannot be read: {reason}"))
        else:
            collected.add_images(found)
            waiting += listed[::-1]
    return collected.findings()


def _find(argument: str, sources: Iterable[Source], search: Search) -> Iterable[Finding]:
    if not argument:
        return [Failure("", "an empty name stands among the images")]
    source = next(source for source in sources if source.takes(argument))
    return source.find(argument, search)


class _Collected:
    """What was found so far, everything once."""

    def __init__(self) -> None:
        self._images: dict[str, Found] = {}
        self._failures: list[Failure] = []
        self._skipped: Counter[str] = Counter()
        self._refused: dict[tuple[str, str], list[str]] = {}
        self._told: set[str] = set()  # where there is something else than an image

    def add_images(self, images: Iterable[Found]) -> None:
        for image in images:
            if image.key in self._images:
                self._skipped[TWICE] += 1
            else:
                self._images[image.key] = image

    def add_other(self, one: Failure | Skipped | Refused) -> None:
        place = str(one.path) if isinstance(one, Skipped) else one.input
        with suppress(ValueError, OSError):  # no possible path
            place = resolved(Path(place))
        if place in self._told:
            return
        self._told.add(place)
        if isinstance(one, Failure):
            self._failures.append(one)
        elif isinstance(one, Skipped):
            self._skipped[one.kind] += 1
        else:
            self._refused.setdefault((one.kind, one.advice), []).append(one.input)

    def findings(self) -> Findings:
        told_once = [_refusal(kind, advice, inputs) for (kind, advice), inputs in self._refused.items()]
        return Findings(list(self._images.values()), [*self._failures, *told_once], self._skipped)


def _refusal(kind: str, advice: str, inputs: list[str]) -> Failure:
    if len(inputs) == 1:
        return Failure(inputs[0], f"{inputs[0]} was not read: {advice}")
    many = f"{kind}es" if kind.endswith("s") else f"{kind}s"
    return Failure(inputs[0], f"{len(inputs)} {many}, such as {inputs[0]}, were not read: {advice}")
