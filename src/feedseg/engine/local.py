"""Applying a task in this process; some threads may load items ahead, and finish those that were processed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from feedseg.engine.interrupts import interruptible_each
from feedseg.engine.outcomes import Done, Failed, Item, Outcome, Result, explain
from feedseg.engine.task import Task

T = TypeVar("T")
_AGAIN = 0.2  # seconds until what is loaded is given up once more


@dataclass(frozen=True)
class Waiting(Generic[Item]):
    """An item that was loaded and not answered yet."""

    item: Item
    loaded: Any


@dataclass(frozen=True)
class Local(Generic[Item, Result]):
    """Applies a task here: outcomes come in the order of the items, and items are taken no sooner than needed.

    An interrupt arrives while an item is processed, never while one is finished (see `feedseg.engine.interrupts`); the
    outcomes of those before it are still handed out.
    """

    task: Task[Item, Result]
    threads: int = 0  # that load ahead and finish; with none, items are loaded when the task asks for them

    def map(self, items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        """See `Executor.map`.

        Raises:
            Exception: what the task raises before it has taken an item, since that is no item's fault.
        """
        queue: deque[Waiting[Item] | Failed[Item]] = deque()
        with (
            closing(load_ahead(self.task.load, items, self.threads, self.task.abandon)) as stream,
            Finishing(self) as finishing,
        ):
            finished = False
            while not finished:
                reason = None
                try:
                    for processed in interruptible_each(self.task.process(_loaded(stream, queue))):
                        finishing.fail(_leading_failures(queue))
                        finishing.finish(queue.popleft().item, processed)
                        finishing.fail(_leading_failures(queue))
                        del processed
                        yield from finishing.outcomes(self.threads)
                    finished = True
                except KeyboardInterrupt:
                    yield from finishing.outcomes()
                    raise
                except Exception as error:
                    if not _waiting(queue):
                        raise
                    reason = explain(error)
                # Out here the exception is gone, and with it the memory that its traceback held on to.
                alone = _waiting(queue) == 1
                while queue:
                    one = queue.popleft()
                    if isinstance(one, Failed):
                        finishing.fail([one])
                    elif alone and reason:
                        finishing.fail([Failed(one.item, reason)])
                    else:
                        self._alone(one, finishing)
                    yield from finishing.outcomes(self.threads)
            yield from finishing.outcomes()

    def _alone(self, one: Waiting[Item], finishing: Finishing[Item, Result]) -> None:
        try:
            (processed,) = interruptible_each(self.task.process([one.loaded]))
        except Exception as error:
            finishing.fail([Failed(one.item, explain(error))])
        else:
            finishing.finish(one.item, processed)


class Finishing(Generic[Item, Result]):
    """Outcomes in order, of which the last ones may still be finished by threads."""

    def __init__(self, executor: Local[Item, Result]) -> None:
        self._task = executor.task
        idle = type(executor.task).finish is Task.finish  # then what is processed is handed out at once
        threads = 0 if idle else executor.threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="finish") if threads else None
        self._outcomes: deque[Outcome[Item, Result] | Future[Outcome[Item, Result]]] = deque()

    def __enter__(self) -> Finishing[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def fail(self, failed: Iterable[Failed[Item]]) -> None:
        """Add outcomes that there are already."""
        self._outcomes.extend(failed)

    def finish(self, item: Item, processed: Any) -> None:
        """Add one that has to be finished."""
        if self._pool is None:
            self._outcomes.append(self._finished(item, processed))
        else:
            self._outcomes.append(self._pool.submit(self._finished, item, processed))

    def outcomes(self, most: int = 0) -> Iterator[Outcome[Item, Result]]:
        """Those that are ready, and as many as it takes until no more than `most` are left."""
        while self._outcomes:
            first = self._outcomes[0]
            if isinstance(first, Future) and not first.done() and len(self._outcomes) <= most:
                return
            self._outcomes.popleft()
            yield first.result() if isinstance(first, Future) else first

    def _finished(self, item: Item, processed: Any) -> Outcome[Item, Result]:
        try:
            return Done(item, self._task.finish(item, processed))
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
    load: Callable[[Item], T], items: Iterable[Item], threads: int, abandon: Callable[[], object] = lambda: None
) -> Generator[tuple[Item, Callable[[], T]], None, None]:
    """The items in order, each with a function that gives what was loaded, or raises why it was not.

    At most 2 × threads + 1 items are loaded ahead. When no more are wanted, those that are being loaded are waited for;
    `abandon` is called so that this takes no time, see `Task.abandon`.
    """
    if not threads:
        for item in items:
            yield item, partial(load, item)
        return
    pending: deque[tuple[Item, Future[T]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="load")

    def first() -> tuple[Item, Callable[[], T]]:
        item, future = pending.popleft()
        begun.append(future)
        return item, future.result

    begun: deque[Future[T]] = deque(maxlen=1)  # handed out, and perhaps not finished yet
    try:
        for item in items:
            pending.append((item, pool.submit(load, item)))
            if len(pending) > 2 * threads:
                yield first()
        while pending:
            yield first()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        left = [*begun, *(future for _, future in pending)]
        while left := [future for future in left if not future.done()]:
            abandon()  # more than once: what has begun only now may not have been there yet
            wait(left, timeout=_AGAIN)
        pool.shutdown()
