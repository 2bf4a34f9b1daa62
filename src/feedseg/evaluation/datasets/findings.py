"""What is noticed of a data set, and what keeps it from being measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feedseg.errors import FeedsegError


@dataclass(frozen=True)
class Finding:
    """What was noticed, and what to do about it."""

    text: str
    advice: str = ""
    is_problem: bool = True  # otherwise a note
    of_single_files: bool = False  # a problem of these files alone: all others can be measured


def refuse(findings: Sequence[Finding], more: str) -> None:
    """Complain about what keeps a data set from being measured; problems of single files do not.

    Args:
        findings: what was noticed.
        more: how to see all of it.

    Raises:
        FeedsegError: the first such problem, in the words that `feedseg data check` has for it.
    """
    stopping = [finding for finding in findings if finding.is_problem and not finding.of_single_files]
    if not stopping:
        return
    first, others = stopping[0], len(stopping) - 1
    advice = f" → {first.advice}" if first.advice else ""
    count = f" (and {others} more problem{'' if others == 1 else 's'})" if others else ""
    raise FeedsegError(f"{first.text}{advice}{count}; {more}")


def count(things: Sequence[object], noun: str) -> str:
    """ "1 mask", "2 masks"."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
