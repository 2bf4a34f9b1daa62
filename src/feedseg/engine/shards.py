"""Equal parts of the work, for several machines or processes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from feedseg.errors import FeedsegError

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Part `number` of `of` equal parts; the first is number 1."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """ "2/8" as the second of eight.

        Raises:
            FeedsegError: the text is something else.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise FeedsegError(f"a shard is written K/N, such as 2/8 for the second of eight, not {text!r}")
        return cls(int(match[1]), int(match[2]))

    def of_items(self, items: Sequence[T]) -> Sequence[T]:
        """The items that belong to this shard: every N-th."""
        return items[self.number - 1 :: self.of]

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
