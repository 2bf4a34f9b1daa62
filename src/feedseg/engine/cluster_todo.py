"""What the workers of a cluster have still to be given."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Given:
    """An item, and how often a worker was lost that had nothing but it."""

    item: Any
    losses: int = 0


class Todo:
    """Items that nobody has yet."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items, self._next = items, 0
        self._again: deque[Given] = deque()

    def __bool__(self) -> bool:
        return bool(self._again) or self._next < len(self._items)

    def taken(self, most: int, workers: int) -> list[Given]:
        """The next ones, fewer near the end, so that no worker has much when others have nothing."""
        if self._again:
            return [self._again.popleft()]
        number = min(most, -(-(len(self._items) - self._next) // (2 * workers)))
        begin, self._next = self._next, self._next + number
        return [Given(item) for item in self._items[begin : self._next]]

    def put_back(self, items: Sequence[Given]) -> None:
        """Have them given again, each alone, so that the one which ends its worker is known."""
        self._again.extend(items)
