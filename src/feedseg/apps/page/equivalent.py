"""The command line and the Python that give the same classes as the page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from feedseg.apps.page.wanted import NO_BACKGROUND, SUGGESTED, Wanted
from feedseg.vision.feedback import AUTO
from feedseg.weights.catalog import DEFAULT_MODEL

_USUAL = Wanted("", DEFAULT_MODEL)


def command_line(photo: str, wanted: Wanted, colours: Mapping[str, str] | None = None) -> str:
    """`feedseg segment …` with every option that is not the usual one, for a POSIX shell."""
    background = wanted.background.strip()
    parts = [
        "feedseg",
        "segment",
        photo if not photo.startswith("-") else f"./{photo}",
        _joined("labels", wanted.words),
    ]
    if background in ("", NO_BACKGROUND):
        parts.append("--no-background")
    elif background != AUTO:
        parts.append(_joined("background", wanted.background))
    if wanted.threshold:
        parts += ["--threshold", f"{wanted.threshold:g}"]
    for name in ("model", "host", "proxy", "speed", "feedback"):
        if (value := getattr(wanted, name)) != getattr(_USUAL, name):
            parts += [f"--{name}", value]
    for refiner in wanted.refiners:
        parts += ["--refiner", refiner]
    if colours:
        parts += ["--colours", ", ".join(f"{name}={colour}" for name, colour in colours.items())]
    return _quoted(parts)


def python(photo: str, wanted: Wanted, colours: Mapping[str, str] | None = None) -> str:
    """A program of a few lines that leaves the same results in a folder."""
    background = wanted.background.strip()
    behind = None if background in ("", NO_BACKGROUND) else background
    loading = [repr(wanted.model)]
    loading += [
        f"{name}={getattr(wanted, name)!r}"
        for name in ("host", "proxy", "speed", "feedback")
        if getattr(wanted, name) not in (getattr(_USUAL, name), SUGGESTED)
    ]
    words = [repr(wanted.words), f"background={behind!r}"]
    words += [f"threshold={wanted.threshold:g}"] if wanted.threshold else []
    call = [repr(photo), "words"]
    call += [f"refiners={list(wanted.refiners)!r}"] if wanted.refiners else []
    lines = [
        "from feedseg import Segmenter, Vocabulary",
        "",
        f"segmenter = Segmenter.load({', '.join(loading)})",
        f"words = Vocabulary.parse_line({', '.join(words)})",
        f"result = segmenter({', '.join(call)})",
    ]
    if colours:
        lines.append(f"result = result.with_colours({dict(colours)!r})")
    return "\n".join([*lines, "print(result.area_fractions)", 'result.save("feedseg-out")'])


def _joined(name: str, value: str) -> str:
    """An option and its value; as one word where the value would be taken for an option."""
    return f"--{name}={value}" if value.startswith("-") else f"--{name}\0{value}"


def _quoted(parts: list[str]) -> str:
    return " ".join(shlex.quote(word) for part in parts for word in part.split("\0"))
