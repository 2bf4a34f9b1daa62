"""Tables and numbers as reports show them; tables as Markdown. HTML is made by the templates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from feedseg.evaluation.metrics.bootstrap import Interval

NOTHING = "–"  # where there is no number
MINUS = "−"


@dataclass(frozen=True)
class Table:
    """Rows of text under headings. Columns whose every entry is a number are set flush right."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers alone."""
        return bool(self.rows) and all(_NUMBER.fullmatch(row[column]) for row in self.rows)

    def markdown(self, level: int = 3) -> str:
        """With its title as a heading of that level."""
        rules = ["---:" if self.numeric(column) else "---" for column in range(len(self.headings))]
        lines = [_row(self.headings), _row(rules, clean=False), *map(_row, self.rows)]
        parts = [f"{'#' * level} {self.title}", "\n".join(lines), self.note]
        return "\n\n".join(part for part in parts if part) + "\n"


_NUMBER = re.compile(rf"[+{MINUS}]?[\d.,]+( %| s| MB)?( \[[^\]]*\])?|{NOTHING}")


def _row(texts: Sequence[str], *, clean: bool = True) -> str:
    """A Markdown row; what would be markup in a text is escaped."""
    shown = [re.sub(r"([\\|*_`<>\[\]#~])", r"\\\1", text) if clean else text for text in texts]
    return f"| {' | '.join(shown)} |"


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal, without the sign."""
    return NOTHING if value is None or math.isnan(value) else f"{100 * value:.1f}"


def points(value: Interval, *, interval: bool = True) -> str:
    """A difference of fractions in percentage points, with its sign and its interval."""
    if math.isnan(value.value):
        return NOTHING
    shown = signed(value.value)
    return f"{shown} {_bounds(signed(value.low), signed(value.high))}" if interval else shown


def _bounds(low: str, high: str) -> str:
    return f"[{NOTHING}]" if NOTHING in (low, high) else f"[{low}, {high}]"


def signed(value: float) -> str:
    """A difference of fractions in percentage points, one decimal."""
    if math.isnan(value):
        return NOTHING
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def with_interval(value: Interval) -> str:
    """A fraction in percent with its interval."""
    if math.isnan(value.value):
        return NOTHING
    return f"{percent(value.value)} {_bounds(percent(value.low), percent(value.high))}"
