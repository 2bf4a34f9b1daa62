"""What the parts of `bench.py` consist of: how to measure, figures as JSON has them, their tables and their aims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from feedseg.evaluation.report.tables import Table

T = TypeVar("T")
Figures = dict[str, Any]  # as JSON has them: seconds, bytes, counts


@dataclass(frozen=True)
class Setup:
    """How to measure. `quick` makes every size tiny: it shows that the program runs, and its figures mean nothing."""

    device: str = "cpu"
    threads: int = 1
    repeats: int = 3
    quick: bool = False

    def size(self, full: T, quick: T) -> T:
        """A size, or the tiny one."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Ratio:
    """A figure that has an aim: at least so much, or at most."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reached(self) -> bool:
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    @property
    def aim(self) -> str:
        """The aim as text."""
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


def no_ratios(figures: Figures) -> Sequence[Ratio]:
    """Of a part that only informs."""
    return ()


@dataclass(frozen=True)
class Part:
    """One question: `measure` answers it with figures, of which tables and ratios are made at any later time."""

    name: str
    measure: Callable[[Setup], Figures]
    tables: Callable[[Figures], Sequence[Table]]
    ratios: Callable[[Figures], Sequence[Ratio]] = no_ratios
    can_be_quick: bool = True


def ratio_table(ratios: Sequence[Ratio]) -> Table:
    """Every ratio beside its aim."""
    rows = [
        (one.what, f"{one.value:.3g} {one.unit}".strip(), one.aim, "yes" if one.reached else "no") for one in ratios
    ]
    return Table("Aims", ("what", "measured", "aim", "reached"), rows)


def seconds_text(times: Mapping[str, float]) -> str:
    """Median, smallest and largest of `timing.spread`."""
    return f"{times['median']:.3f} ({times['least']:.3f}–{times['most']:.3f})"


def megabytes(count: float) -> str:
    """Bytes as MB."""
    return f"{count / 1e6:,.0f} MB"
