"""What is done with every item, in three steps; an executor decides where and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol

from feedseg.engine.outcomes import Item, Outcome, Result


class Task(ABC, Generic[Item, Result]):
    """Load, process, finish. Whatever a step raises is the failure of its item and ends nothing else."""

    def load(self, item: Item) -> Any:
        """What `process` needs of an item, such as its pixels; may run in several threads, ahead of the processing."""
        return item

    def abandon(self) -> None:
        """End what `load` does just now in other threads, whose items nobody waits for any more; it may fail."""

    @abstractmethod
    def process(self, loaded: Iterable[Any]) -> Iterator[Any]:
        """One value for each that was loaded, lazily and in order.

        It may take several at once, to compute them as a batch. If it raises, those that it has taken and not answered
        are handed to it once more, each alone.
        """

    def finish(self, item: Item, processed: Any) -> Result:
        """The result of an item from what `process` gave; writes files, for example."""
        return processed


class Executor(Protocol[Item, Result]):
    """Applies a task to items: in this process, in several, or on other machines."""

    def map(self, items: Sequence[Item]) -> Iterator[Outcome[Item, Result]]:
        """The outcome of every item as soon as it is there."""
        ...
