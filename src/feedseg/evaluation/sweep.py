"""Which settings of a feedback are compared: the usual one, and others that differ in one or several constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from typing import Any

from feedseg.errors import FeedsegError

# What the command line calls the constants of the paper's feedback, after its symbols, and the fields that they are.
# Others are called by their field.
FIELDS = {"lambda": "sharpness", "p": "keep"}
USUAL = "default"  # the name of the setting that all others vary


@dataclass(frozen=True)
class Sweep:
    """Values of constants by name: each varied alone, or, as a grid, all with all."""

    values: Mapping[str, Sequence[Any]]
    grid: bool = False

    def settings(self, usual: Any) -> dict[str, Any]:
        """By name every setting that is compared, the usual one first; none twice.

        Args:
            usual: a feedback that is a frozen dataclass.

        Raises:
            FeedsegError: a constant or a value that the feedback cannot have.
        """
        known = {one.name for one in fields(usual)} if is_dataclass(usual) else set()
        for name in self.values:
            if FIELDS.get(name, name) not in known:
                has = ", ".join(sorted(known)) or "none at all"
                raise FeedsegError(f"{type(usual).__name__} has no constant {name!r}; it has {has}")
        feedback: Any = usual
        found = {feedback: USUAL}
        for changes in self._combinations():
            name = ", ".join(f"{key} {shown_value(value)}" for key, value in changes.items())
            try:
                setting = replace(feedback, **{FIELDS.get(key, key): value for key, value in changes.items()})
            except (ValueError, TypeError) as error:
                raise FeedsegError(f"--{name.replace(', ', ' --')}: {error}") from error
            found.setdefault(setting, name)
        return {name: setting for setting, name in found.items()}

    def _combinations(self) -> list[dict[str, Any]]:
        if self.grid:
            return [dict(zip(self.values, row, strict=True)) for row in product(*self.values.values())]
        return [{name: value} for name, values in self.values.items() for value in values]


def shown_value(value: object) -> str:
    """A constant's value, as short as it can be told from every other value."""
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
