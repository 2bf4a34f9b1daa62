"""The tables of the README beside this: `python -m research.mini.tables SEED0.json …`.

From files of `research.mini.evaluate --out`: the first one's figures in full, and of all of them what shows whether a
claim is one run's luck.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def fraction(value: Sequence[float]) -> str:
    """A fraction with its interval."""
    return f"{value[0]:.3f} ({value[1]:.3f}–{value[2]:.3f})"


def points(value: Sequence[float]) -> str:
    """Percent with its interval."""
    return f"{value[0]:.1f} ({value[1]:.1f}–{value[2]:.1f})"


def difference(value: Sequence[float]) -> str:
    """Points with the interval of a difference."""
    return f"{value[0]:+.1f} ({value[1]:+.1f} to {value[2]:+.1f})"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def naming(figures: Figures) -> str:
    columns = ("both", "colour", "pattern")
    found = figures["naming"]
    rows = [[name, *(fraction(found[f"{name}, {column}"]) for column in columns)] for name in ("trained", "held out")]
    return f"{found['images']} images\n\n" + table(("combinations", "both right", *columns[1:]), rows)


def retrieval(figures: Figures) -> str:
    ways = ("scene by caption", "caption by scene")
    found = figures["retrieval among 200"]
    rows = [[name, *(fraction(found[f"{name}, {way}"]) for way in ways)] for name in ("trained", "held out")]
    return table(("combinations", *ways), rows)


def segmentation(figures: Figures) -> str:
    parts = []
    for task, rows in figures["segmentation"].items():
        if not isinstance(rows, dict):
            continue
        body = [
            [host, points(row["without"]), f"{row['feedback'][0]:.1f}", *map(difference, _gains(row))]
            for host, row in rows.items()
            if host != "ceiling"
        ]
        headings = ("host", "without", "feedback", "gain of feedback", "gain of the host twice")
        parts.append(f"Words: {task}. Ceiling of the grid: {rows['ceiling'][0]:.1f}.\n\n{table(headings, body)}")
    return "\n".join(parts)


def _gains(row: Figures) -> tuple[Sequence[float], Sequence[float]]:
    return row["gain"], row["gain of the control"]


def seeds(runs: Sequence[Figures]) -> str:
    """The figures that claims rest on, a column a run."""
    rows: list[list[str]] = []

    def add(name: str, cell: Callable[[Figures], str]) -> None:
        rows.append([name, *(cell(run) for run in runs)])

    for name in ("trained", "held out"):
        add(f"naming, {name}", lambda run, name=name: fraction(run["naming"][f"{name}, both"]))
    for way in ("scene by caption", "caption by scene"):
        add(f"R@1, {way}", lambda run, way=way: fraction(run["retrieval among 200"][f"trained, {way}"]))
    for host in runs[0]["segmentation"]["patterns"]:
        if host != "ceiling":
            add(f"{host}: mIoU without; gain", lambda run, host=host: _brief(run["segmentation"]["patterns"][host]))
    return table(("patterns", *(f"run {number}" for number in range(len(runs)))), rows)


def _brief(row: Figures) -> str:
    return f"{row['without'][0]:.1f}; {difference(row['gain'])}"


def main() -> None:
    runs = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    if not runs:
        raise SystemExit(__doc__)
    print("\n".join((naming(runs[0]), retrieval(runs[0]), segmentation(runs[0]), seeds(runs))))


if __name__ == "__main__":
    main()
