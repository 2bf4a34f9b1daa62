"""Packages that some formats need, and not everyone has."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from feedseg.errors import FeedsegError


def check_packages(format_name: str, packages: Iterable[str]) -> None:
    """Raises FeedsegError where a package is missing, saying what to install."""
    if missing := [package for package in packages if find_spec(package) is None]:
        raise FeedsegError(f"the format {format_name!r} needs {' and '.join(missing)}: pip install 'feedseg[formats]'")
