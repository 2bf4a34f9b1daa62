"""The text format of vocabularies: a class a line, synonyms separated by semicolons.

    # a comment
    background: wall; floor
    threshold: 0.4
    template: a photo of a {}.
    cat; kitten
    sofa; couch

`background:`, `threshold:` and `template:` (which may be repeated) are optional; `background: auto` takes the stock
list. On one line, as on the command line, commas stand for the line ends: ``cat; kitten, sofa; couch``. Neither
separator can be part of a name; at the end they may be left over.
"""

from __future__ import annotations

from typing import NamedTuple

from feedseg.errors import FeedsegError
from feedseg.vocabulary.background import AUTO
from feedseg.vocabulary.separators import advice_on, did_you_mean
from feedseg.vocabulary.words import normal_form, shown

DIRECTIVES = ("background", "threshold", "template")


class Parts(NamedTuple):
    """What a text says, as `Vocabulary` takes it."""

    classes: list[list[str]]
    background: str | list[str] | None = None
    threshold: float = 0.0
    templates: list[str] | None = None


def classes_of_line(labels: str) -> list[list[str]]:
    """Classes and their words from one line. Raises FeedsegError where there are none, or another separator."""
    if not labels.strip(" \t\r\n,;"):
        raise FeedsegError("there are no labels: give the classes, separated by commas")
    if "," not in labels and (advice := advice_on(labels, whole=True)):
        raise FeedsegError(f"{shown(labels)}: {advice}")
    if "\n" in labels.strip():
        raise FeedsegError(f"{shown(labels)}: line ends and commas; write all classes on one line, or use a file")
    return [split(entry, ";", shown(labels)) for entry in split(labels, ",", shown(labels))]


def background_of(text: str, separators: str, where: str) -> str | list[str]:
    """The words of a background, all of which are one class, or `AUTO`."""
    first, *others = separators
    for other in others:
        text = text.replace(other, first)
    return AUTO if normal_form(text) == AUTO else split(text, first, where)


def parts_of(text: str, source: str) -> Parts:
    """From text of several lines; `source` is what errors call it."""
    classes: list[list[str]] = []
    background: str | list[str] | None = None
    threshold: float | None = None
    templates: list[str] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        where = f"{source}, line {number}"
        directive, colon, value = line.partition(":")
        if not colon or directive.strip().isdecimal():  # a numbered list is complained of as a whole
            if "," in line.rstrip(","):
                raise FeedsegError(f"{where}: a comma; write a class a line, its synonyms separated by semicolons")
            classes.append([line] if colon else split(line.rstrip(","), ";", where))
        elif directive == "template":
            templates.append(value.strip())
        elif directive == "background" and background is None:
            if "," in value:
                raise FeedsegError(f"{where}: a comma; the background's words are separated by semicolons")
            background = background_of(value, ";", where)
        elif directive == "threshold" and threshold is None:
            try:
                threshold = float(value)
            except ValueError:
                raise FeedsegError(f"{where}: the threshold is a number, not {shown(value.strip())}") from None
        elif directive in DIRECTIVES:
            raise FeedsegError(f"{where}: a second {directive}")
        else:
            known = ", ".join(DIRECTIVES)
            raise FeedsegError(f"{where}: {shown(directive)} is none of {known}, and names have no colon")
    return Parts(classes, background, threshold or 0.0, templates or None)


def text_of(parts: Parts) -> str:
    """The text that `parts_of` turns into the same parts again."""
    lines = []
    if parts.background:
        words = parts.background if isinstance(parts.background, str) else "; ".join(parts.background)
        is_word = (words != AUTO and normal_form(words) == AUTO) or parts.background == [AUTO]
        lines.append(f"background: {words}{';' if is_word else ''}")
    if parts.threshold:
        lines.append(f"threshold: {parts.threshold!r}")
    lines += [f"template: {template}" for template in parts.templates or ()]
    lines += ["; ".join(words) for words in parts.classes]
    return "\n".join(lines) + "\n"


def split(text: str, separator: str, where: str) -> list[str]:
    """The parts of a text; empty ones are left out at its end, and an error elsewhere."""
    parts = [part.strip() for part in text.split(separator)]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    if not all(parts):
        meant = [part for part in parts if part]
        raise FeedsegError(
            f"{where}: an empty name beside {separator!r}{f'; {did_you_mean(meant)}' if separator == ',' else ''}"
        )
    return parts
