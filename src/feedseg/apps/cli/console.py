"""The terminal: results go to stdout; progress, notes and complaints to stderr."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from feedseg.vocabulary.words import JOINERS

UNLIMITED = 10_000  # columns, where nobody sees a right edge


def console(*, stderr: bool = False) -> Console:
    """A terminal at its own width; a pipe or file so wide that no line is ever broken or cut."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr, width=None if stream.isatty() else UNLIMITED, highlight=False, markup=False, emoji=False
    )


def plain_table(*headings: str) -> Table:
    """A table without rules, a line a row in a pipe, which grep and awk can read."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    """What is called how, a line each."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, one_line(text))
    return table


def show(target: Console, table: Table) -> None:
    """Print a table with an empty line behind it and without blanks at the ends of lines."""
    with target.capture() as captured:
        target.print(table)
    write("\n".join((*(line.rstrip() for line in captured.get().rstrip("\n").split("\n")), "")), target)


def write(text: str, target: Console | None = None) -> None:
    """Text and a line end, at once; to stdout unless there is a target."""
    print(text, file=target.file if target else sys.stdout, flush=True)


def one_line(text: str) -> str:
    """Text of any origin on one line that a terminal can show: whatever is not printable is escaped."""
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    return "".join(
        char if char.isprintable() or char in JOINERS else char.encode("unicode_escape").decode() for char in line
    )


def complain(text: str) -> None:
    """One line to the user."""
    print(f"feedseg: {one_line(text)}", file=sys.stderr)


@contextmanager
def short_warnings() -> Iterator[None]:
    """Python's warnings as one line, without the line of the program that they come from."""
    with warnings.catch_warnings():
        warnings.showwarning = note_warning
        yield


def note_warning(message: Warning | str, *_: object, **__: object) -> None:
    """What `warnings.showwarning` may be: a warning as one line."""
    complain(f"note: {message}")


def listed(names: Sequence[str], separator: str = ", ", most: int = 20) -> str:
    """The names in a row, the last ones only counted if they are many."""
    shown = separator.join(names[:most])
    return shown if len(names) <= most else f"{shown}{separator}and {len(names) - most} more"


class _Pace(ProgressColumn):
    """How fast it goes."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each")


def progress(*, visible: bool) -> Progress:
    """Bars on stderr with count, pace and time left. Nothing at all unless `visible` and stderr is a terminal."""
    target = console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Pace(),
        TimeRemainingColumn(),
        console=target,
        transient=True,
        speed_estimate_period=300.0,  # seconds: on a CPU an image can take many
        redirect_stdout=False,  # results written to stdout meanwhile may be on their way to a file
        disable=not (visible and is_live(target)),
    )


def is_live(target: Console) -> bool:
    """Whether lines shown there can be taken back."""
    return target.file.isatty() and not target.is_dumb_terminal


@contextmanager
def status(text: str, *, visible: bool) -> Iterator[None]:
    """A line that stands on a terminal's stderr while something goes on.

    It does not move: while weights are fetched, the hub's own progress bars are shown instead.
    """
    target = console(stderr=True)
    shown = visible and is_live(target)
    if shown:
        target.file.write(f"{text} …\r")
        target.file.flush()
    try:
        yield
    finally:
        if shown:
            target.file.write(f"\r{' ' * (target.width - 1)}\r")
            target.file.flush()
