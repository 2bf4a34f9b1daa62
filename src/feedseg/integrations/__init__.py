"""Results in the forms of other people's tools, and Feedseg inside them; one file each."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from feedseg.errors import FeedsegError, brief


def needed(module: str, extra: str) -> ModuleType:
    """A package that is not everyone's. Raises FeedsegError, with what to install, where it is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".", maxsplit=1)[0] != error.name.split(".")[0]:
            raise  # the package is there, and lacks something itself
        raise FeedsegError(f"this needs {module.split('.', maxsplit=1)[0]}: pip install 'feedseg[{extra}]'") from error


def one_of(what: str, given: str, known: tuple[str, ...]) -> str:
    """The same. Raises FeedsegError where it is none of the known ones."""
    if not isinstance(given, str) or given not in known:
        raise FeedsegError(f"{what} is {', '.join(known[:-1])} or {known[-1]}, not {brief(given)}")
    return given
