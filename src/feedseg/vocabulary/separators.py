"""What people write between classes instead of a comma, and numbers in front of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feedseg.vocabulary.words import SHOWN

# No name has one of these, so that they always stand between names.
ALWAYS = {
    "bars": re.compile(r"\|+"),
    "line ends": re.compile(r"[\r\n\v\f\x85\u2028\u2029]+"),
    "tabs": re.compile(r"\t+"),
    "full-width commas": re.compile("[\uff0c\u3001\ufe50\ufe51\uff64\u060c\u061b\uff1b]"),
}
# "tv/monitor" is a name: only in a text without commas they may stand between several.
SLASHES = re.compile(r"/+|\\+")
# A full stop ends a class ("plain. striped.", as captions for detectors have it) unless it belongs to an abbreviation.
STOP = re.compile(r"\s*\.(?:\s+|$)")
ABBREVIATIONS = frozenset("st ste mt ft dr mr mrs ms jr sr no nr vs etc prof sp spp var approx inc ltd co".split())
NUMBERED = re.compile(r"(\d+)(\s*[:.)\]]\s*|\s*[-–]\s+|\s+)(?=\S)(?!\d)")


def advice_on(text: str, *, whole: bool) -> str | None:
    """What to write instead of a text that holds several classes without a comma; None where it is one name.

    Args:
        text: what was given as one name.
        whole: whether it is all that was given: then slashes and full stops are likely separators, too. In one name of
            several they are part of it, unless it ends in a full stop and has another one.
    """
    text = text.strip()
    separators = ALWAYS | ({"slashes": SLASHES} if whole else {})
    for name, pattern in separators.items():
        if len(parts := _filled(pattern.split(text))) > 1:
            return _instead_of(name, parts, whole=whole)
    sentences = _sentences(text)
    if sentences and sentences != [text] and (whole or (len(sentences) > 1 and text.endswith("."))):
        return _instead_of("full stops", sentences, whole=whole)
    return None


def _instead_of(name: str, classes: Sequence[str], *, whole: bool) -> str:
    if not whole:
        return f"{name} do not separate classes; give each an entry or a line of its own, or write {_line(classes)}"
    escape = " (if it is one name, end it with a comma)" * (name in ("slashes", "full stops"))
    return f"separate classes by commas, not {name}; {did_you_mean(classes)}{escape}"


def did_you_mean(classes: Sequence[str]) -> str:
    """A question, with the classes as they would be written on one line."""
    return f"did you mean {_line(classes)}?"


def _line(classes: Sequence[str]) -> str:
    line = ", ".join(classes)
    return f'"{line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"}"'


def numbers_before(names: Sequence[object]) -> bool:
    """Whether all names begin with a number, as lines of a list do, which goes up by one from 0 or 1."""
    matches = [NUMBERED.match(name.strip()) if isinstance(name, str) else None for name in names]
    if len(names) < 2 or not all(matches):
        return False
    numbers = [int(match[1][:9]) for match in matches if match]
    return numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _sentences(text: str) -> list[str]:
    """The text cut behind full stops that do not belong to an abbreviation."""
    parts, start = [], 0
    for match in STOP.finditer(text):
        before = text[start : match.start()].split()
        last = before[-1].casefold() if before else ""
        spaced = text[match.start()].isspace()
        if not spaced and (last in ABBREVIATIONS or len(last) <= 1 or "." in last):
            continue
        parts.append(text[start : match.start()])
        start = match.end()
    return _filled([*parts, text[start:]])


def _filled(parts: Sequence[str]) -> list[str]:
    return [part.strip() for part in parts if part.strip()]
