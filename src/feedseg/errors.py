"""Errors and warnings whose text is meant for the user: they say what is wrong, with which input, what to do."""

from __future__ import annotations

import sys
import warnings
from math import isfinite
from numbers import Integral, Real

OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")  # as torch says it, in lower case
LONGEST = 600  # characters of an error, however long what it tells of is
SHOWN = 60  # of them for a value that cannot be used


class FeedsegError(Exception):
    """An input or an environment that cannot be used, in one line that says what to do about it.

    The command line prints the text alone; any other exception is a defect of the program. A text that is very long,
    because what the user gave is, loses its middle: it begins with what is wrong and ends with what to do.
    """

    def __init__(self, text: object = "") -> None:
        super().__init__(shortened(str(text)))


class InvalidValueError(FeedsegError, ValueError):
    """A value that an object cannot be made with."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """A text in at most so many characters: the middle of a longer one is left out."""
    if len(text) <= longest:
        return text
    end = (longest - 1) // 3
    return f"{text[: longest - 1 - end]}…{text[-end:]}"


def brief(value: object) -> str:
    """A value as Python writes it, in one line of at most 60 characters."""
    if isinstance(value, str):
        return repr(shortened(value, SHOWN))
    try:
        text = repr(value)
    except Exception:  # of an object of the user's, or a number of too many digits
        text = f"a {type(value).__name__}"
    return shortened(" ".join(text.split()), SHOWN)


def checked_number(value: object, what: str, least: float = float("-inf")) -> float:
    """The number. Raises InvalidValueError where it is none, not finite, or below `least`."""
    try:
        if (
            isinstance(value, Real)
            and not isinstance(value, bool)
            and isfinite(number := float(value))
            and number >= least
        ):
            return number
    except OverflowError:  # a whole number beyond what fractions can tell
        pass
    bound = "" if least == float("-inf") else f" of at least {least:g}"
    raise InvalidValueError(f"{what} is a number{bound}, not {brief(value)}")


def checked_count(value: object, what: str, least: int = 1, most: int = 10**9) -> int:
    """The whole number. Raises InvalidValueError where it is none, or not from `least` to `most`."""
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return int(value)
    raise InvalidValueError(f"{what} is a whole number from {least} to {most}, not {brief(value)}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was no memory left, of whatever device and in whatever words."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(phrase in text for phrase in OUT_OF_MEMORY)


def first_line(error: BaseException) -> str:
    """The first line of an exception's text that says something, or its class's name."""
    lines = (line.strip(" .") for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


def warn_user(text: str) -> None:
    """A UserWarning that points to the first line outside of this package that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, UserWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == __name__.partition(".")[0]
