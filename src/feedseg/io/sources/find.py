"""The images that arguments lead to, each once; nothing is passed over in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from feedseg.io.sources import SOURCES
from feedseg.io.sources.base import Failure, Finding, Found, Given, Refused, Search, Skipped, Source

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
    images: dict[str, Found] = {}
    refused: dict[tuple[str, str], list[str]] = {}
    findings = Findings()
    waiting = list(arguments)[::-1]
    while waiting:
        argument = waiting.pop()
        found: list[Found] = []
        listed: list[str] = []
        try:
            for one in _find(argument, asked, search):
                if isinstance(one, Failure):
                    findings.failures.append(one)
                elif isinstance(one, Skipped):
                    findings.skipped[one.kind] += 1
                elif isinstance(one, Refused):
                    refused.setdefault((one.kind, one.advice), []).append(one.input)
                elif isinstance(one, Given):
                    listed.append(one.argument)
                else:
                    found.append(one)
        except (OSError, ValueError) as error:  # a name with a NUL in it, which no file has
            reason = getattr(error, "strerror", None) or error
            findings.failures.append(Failure(argument, f"{argument} cannot be read: {reason}"))
            continue
        waiting += listed[::-1]
        for image in found:
            if image.key in images:
                findings.skipped[TWICE] += 1
            else:
                images[image.key] = image
    findings.images = list(images.values())
    findings.failures += [_refusal(kind, advice, inputs) for (kind, advice), inputs in refused.items()]
    return findings


def _find(argument: str, sources: Iterable[Source], search: Search) -> Iterable[Finding]:
    if not argument:
        return [Failure("", "an empty name stands among the images")]
    source = next(source for source in sources if source.takes(argument))
    return source.find(argument, search)


def _refusal(kind: str, advice: str, inputs: list[str]) -> Failure:
    if len(inputs) == 1:
        return Failure(inputs[0], f"{inputs[0]} was not read: {advice}")
    many = f"{kind}es" if kind.endswith("s") else f"{kind}s"
    return Failure(inputs[0], f"{len(inputs)} {many}, such as {inputs[0]}, were not read: {advice}")
