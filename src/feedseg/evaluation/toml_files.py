"""TOML files with checked keys and types; everything wrong is a FeedsegError that names file and key."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from feedseg.errors import FeedsegError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports] -- the same library under its older name

HERE = Path(__file__).parent
PUBLISHED, PROTOCOL_FILES = HERE / "datasets/published", HERE / "protocols"  # what comes with the package
RAW_VALUES = HERE / "datasets/raw-values.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """The values of a TOML file.

    Raises:
        FeedsegError: it is missing, unreadable or no TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FeedsegError(f"{path} is not a text file in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise FeedsegError(f"{path} is not TOML: {error}") from error
    except OSError as error:
        raise FeedsegError(f"{path} cannot be read: {error.strerror or error}") from error


def suggestion(name: str, known: Collection[str]) -> str:
    """'; did you mean …?' for a slip, otherwise what there is."""
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


@dataclass
class Table:
    """A TOML table that is read key by key; what nobody asked for is a slip of the pen."""

    values: Mapping[str, Any]
    origin: str  # what errors call it: a file, or a name
    asked: set[str] = field(default_factory=set)

    def text(self, key: str) -> str | None:
        """A text that is not empty, or None where the key is missing."""
        value = self._get(key, str, "a text in quotation marks")
        if value is not None and not value.strip():
            raise FeedsegError(f"{self.origin}: {key} is empty")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, or None where the key is missing."""
        value = self._get(key, list, 'a list of texts, as in ["cat", "dog"]')
        if value is None:
            return None
        if not value or not all(isinstance(item, str) for item in value):
            raise FeedsegError(f'{self.origin}: {key} must be a list of texts, as in ["cat", "dog"], and not empty')
        return tuple(value)

    def integers(self, key: str) -> tuple[int, ...] | None:
        """A list of whole numbers from 0, or None where the key is missing."""
        value = self._get(key, list, "a list of whole numbers, as in [0, 255]")
        if value is None:
            return None
        if not value or not all(type(item) is int and item >= 0 for item in value):
            raise FeedsegError(f"{self.origin}: {key} must be a list of whole numbers, as in [0, 255], and not empty")
        return tuple(value)

    def integer(self, key: str, least: int = 0) -> int | None:
        """A whole number, or None where the key is missing."""
        value = self._get(key, int, "a whole number")
        if value is not None and value < least:
            raise FeedsegError(f"{self.origin}: {key} is at least {least}, not {value}")
        return value

    def number(self, key: str) -> float | None:
        """A number, or None where the key is missing."""
        value = self._get(key, (int, float), "a number")
        return None if value is None else float(value)

    def flag(self, key: str) -> bool:
        """true or false; false where the key is missing."""
        return bool(self._get(key, bool, "true or false"))

    def raw(self, key: str) -> Any:
        """Whatever stands there, or None."""
        self.asked.add(key)
        return self.values.get(key)

    def finish(self) -> None:
        """Complain about the first key that was never asked for."""
        for key in self.values:
            if key not in self.asked:
                raise FeedsegError(f"{self.origin}: unknown key {key!r}{suggestion(key, sorted(self.asked))}")

    def _get(self, key: str, type_: type | tuple[type, ...], wanted: str) -> Any:
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, type_) or (isinstance(value, bool) and type_ is not bool):
            raise FeedsegError(f"{self.origin}: {key} must be {wanted}, not {value!r}")
        return value
