"""What became of an item: a result, or the reason why there is none."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from typing import Generic, TypeVar

from feedseg.errors import FeedsegError, is_out_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Item, Result]):
    """An item with its result."""

    item: Item
    result: Result


@dataclass(frozen=True)
class Failed(Generic[Item]):
    """An item without a result, and why: one line."""

    item: Item
    reason: str


Outcome = Done[Item, Result] | Failed[Item]


def explain(error: BaseException) -> str:
    """An exception in one line for the user; with FEEDSEG_DEBUG the traceback of a defect goes to stderr."""
    if isinstance(error, FeedsegError):
        return str(error)
    if os.environ.get("FEEDSEG_DEBUG"):
        traceback.print_exception(error)
    if advice := memory_advice(error):
        return advice
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}{': ' if text else ''}{text[:300]}"


def memory_advice(error: BaseException) -> str | None:
    """What to do about a lack of memory, of whatever device and in whatever words; None for any other error."""
    if is_out_of_memory(error):
        return "out of memory: try a smaller --short-side, --batch-size 1 or --device cpu"
    return None
