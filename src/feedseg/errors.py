"""Errors and warnings whose text is meant for the user: they say what is wrong, with which input, what to do."""

import sys
import warnings


class FeedsegError(Exception):
    """An input or an environment that cannot be used, in one line that says what to do about it.

    The command line prints the text alone; any other exception is a defect of the program.
    """


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
