"""Applying a task in this process; some threads may load items ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from feedseg.engine.outcomes import Done, Failed, Item, Outcome, Result, explain
from feedseg.engine.task import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Waiting(Generic[Item]):
    """An item that was loaded and not answered yet."""

    item: Item
    loaded: Any


@dataclass(frozen=True)
class Local(Generic[Item, Result]):
    """Applies a task here: outcomes come in the order of the items, and items are taken no sooner than needed."""

    task: Task[Item, Result]
    threads: int = 0  # that load ahead; with none, items are loaded when the task asks for them

    def map(self, items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        """See `Executor.map`.

        Raises:
            Exception: what the task raises before it has taken an item, since that is no item's fault.
        """
        queue: deque[Waiting[Item] | Failed[Item]] = deque()
        with closing(load_ahead(self.task.load, items, self.threads)) as stream:
            finished = False
            while not finished:
                reason = None
                try:
                    for processed in self.task.process(_loaded(stream, queue)):
                        yield from _leading_failures(queue)
                        yield self._finished(queue.popleft().item, processed)
                        yield from _leading_failures(queue)
                    finished = True
                except Exception as error:
                    if not _waiting(queue):
                        raise
                    reason = explain(error)
                # Out here the exception is gone, and with it the memory that its traceback held on to.
                alone = _waiting(queue) == 1
                while queue:
                    one = queue.popleft()
                    if isinstance(one, Failed):
                        yield one
                    else:
                        yield Failed(one.item, reason) if alone and reason else self._alone(one)

    def _alone(self, one: Waiting[Item]) -> Outcome[Item, Result]:
        try:
            (processed,) = self.task.process([one.loaded])
        except Exception as error:
            return Failed(one.item, explain(error))
        return self._finished(one.item, processed)

    def _finished(self, item: Item, processed: Any) -> Outcome[Item, Result]:
        try:
            return Done(item, self.task.finish(item, processed))
        except Exception as error:
            return Failed(item, explain(error))


def _loaded(
    stream: Iterable[tuple[Item, Callable[[], Any]]], queue: deque[Waiting[Item] | Failed[Item]]
) -> Iterator[Any]:
    """What was loaded, for the task; the queue gets every item, also those that cannot be loaded."""
    for item, load in stream:
        try:
            loaded = load()
        except Exception as error:  # decoders are many, and so is what they raise
            queue.append(Failed(item, explain(error)))
        else:
            queue.append(Waiting(item, loaded))
            yield loaded


def _waiting(queue: Iterable[Waiting[Item] | Failed[Item]]) -> int:
    return sum(isinstance(one, Waiting) for one in queue)


def _leading_failures(queue: deque[Waiting[Item] | Failed[Item]]) -> Iterator[Failed[Item]]:
    """Those whose turn it is; they leave the queue."""
    while queue and isinstance(queue[0], Failed):
        failed = queue.popleft()
        assert isinstance(failed, Failed)
        yield failed


def load_ahead(
    load: Callable[[Item], T], items: Iterable[Item], threads: int
) -> Generator[tuple[Item, Callable[[], T]], None, None]:
    """The items in order, each with a function that gives what was loaded, or raises why it was not.

    At most 2 × threads + 1 items are loaded ahead.
    """
    if not threads:
        for item in items:
            yield item, partial(load, item)
        return
    pending: deque[tuple[Item, Callable[[], T]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="load")
    try:
        for item in items:
            pending.append((item, pool.submit(load, item).result))
            if len(pending) > 2 * threads:
                yield pending.popleft()
        while pending:
            yield pending.popleft()
    finally:
        pool.shutdown(cancel_futures=True)
