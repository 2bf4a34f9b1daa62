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
    "other commas": re.compile("[\uff0c\u3001\ufe50\ufe51\uff64\u060c\u061b\uff1b]"),
}
# "tv/monitor" is a name: only in a text without commas they may stand between several.
SLASHES = re.compile(r"/+|\\+")
ONE_NAME = "(if it is one name, end it with a comma)"
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
    for name, pattern in ALWAYS.items():
        if len(parts := _filled(pattern.split(text.strip()))) > 1:
            return f"{name} do not separate classes, commas do: {did_you_mean(parts)}"
    if whole and len(parts := _filled(SLASHES.split(text.strip()))) > 1:
        return f"separate classes by commas, not slashes: {did_you_mean(parts)} {ONE_NAME}"
    sentences = _sentences(text.strip())
    if sentences and sentences != [text.strip()] and (whole or (len(sentences) > 1 and text.rstrip().endswith("."))):
        return f"separate classes by commas, not full stops: {did_you_mean(sentences)}{f' {ONE_NAME}' * whole}"
    return None


def did_you_mean(classes: Sequence[str]) -> str:
    """A question, with the classes as they would be written on one line."""
    line = ", ".join(classes)
    return f'did you mean "{line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"}"?'


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
