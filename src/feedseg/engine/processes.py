"""Applying a task in several processes of this machine, each of which builds a task of its own."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import current_thread, main_thread
from typing import Any, Generic

from feedseg.engine.interrupts import interruptible
from feedseg.engine.outcomes import Done, Failed, Item, Outcome, Result
from feedseg.engine.shards import Shard
from feedseg.engine.worker import PATIENCE, Build, Finished, Lost, Ready, work

SECONDS = 3600.0  # that a worker may go without an outcome, and at least to build its task: far more than it takes
ALONE = 32  # items given one at a time after a loss: more than a worker loads ahead and computes together
GIVE_UP = 5  # losses one after the other without an outcome in between


@dataclass(eq=False)
class Worker:
    """A process that was started, this end of its connection, and what it was given."""

    shard: Shard
    process: BaseProcess
    connection: Connection
    items: deque[Any] = field(default_factory=deque)  # without an outcome, in order
    since: float = field(default_factory=time.monotonic)  # when it was last heard of
    ready: bool = False
    alone: int = 0  # so many items are still to be given one at a time
    single: bool = False  # it has got one item alone
    losses: int = 0  # of its kind one after the other
    ending: bool = False  # because it was told to
    lost: bool = False


class Processes(Generic[Item, Result]):
    """Workers that live until this is closed: `with Processes(build, 4) as executor: executor.map(items)`.

    A worker that ends early, or says nothing for too long, ends no other one: another process takes its place, and gets
    its next items one at a time, so that one which ends a process alone is known, and fails. `on_lost` is told each
    time. What cannot begin, or is lost again and again, is given up; what it lacks has no outcome.
    """

    def __init__(
        self,
        build: Build[Item, Result],
        workers: int,
        threads: int = 0,
        on_lost: Callable[[str], None] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Start the workers.

        Args:
            build: makes the task of a worker, inside it.
            workers: how many processes.
            threads: that load ahead in every worker.
            on_lost: called with one line for every worker that ends early.
            seconds: that a worker may go without an outcome; then it is ended.
        """
        self._build, self._threads, self._seconds = build, threads, seconds
        self._on_lost = on_lost or (lambda _: None)
        self._workers: list[Worker] = []
        try:
            for number in range(1, workers + 1):
                self._workers.append(self._started(Shard(number, workers)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Processes[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, patience: float = PATIENCE) -> None:
        """End the workers; files that one is writing are finished first, within so many seconds."""
        for worker in self._workers:
            worker.process.terminate()
            worker.connection.close()  # so that it waits for nobody to take what it has
        for worker in self._workers:
            worker.process.join(patience)
            worker.process.kill()
            worker.process.join()
        self._workers = []

    def map(self, items: Sequence[Item]) -> Generator[Outcome[Item, Result], None, None]:
        """See `Executor.map`: outcomes come as they are ready, those of one worker in order.

        After an interrupt come those of what was finished until then; a second one changes nothing of that, a third one
        does not wait.
        """
        workers = [worker for worker in self._workers if not worker.lost]
        busy: dict[Any, Worker] = {}
        for number, worker in enumerate(workers, start=1):
            worker.items = deque(Shard(number, len(workers)).of_items(items))
            worker.since = time.monotonic()
            busy[worker.connection] = worker
            if worker.ready:
                _give(worker)
        try:
            yield from self._outcomes(busy)
        except KeyboardInterrupt:
            for worker in busy.values():
                worker.process.terminate()
                worker.ending, worker.since = True, time.monotonic()
            try:
                with suppress(KeyboardInterrupt):  # a second one: what they have written they will have said
                    yield from self._outcomes(busy)
                yield from self._outcomes(busy)
            except KeyboardInterrupt:
                self.close(patience=0)
                raise
            self.close()
            raise
        finally:
            if busy:  # nobody wants the rest
                self.close()

    def _outcomes(self, busy: dict[Any, Worker]) -> Iterator[Outcome[Item, Result]]:
        """What workers say until each has done all or is given up; those leave `busy`."""
        while busy:
            with interruptible():
                ready = wait(list(busy), max(0.0, min(map(self._left, busy.values()))))
            for connection in ready:
                worker = busy[connection]
                message = _received(worker)
                worker.since = time.monotonic()
                if isinstance(message, Lost):
                    yield from self._lost(worker, busy, message)
                elif isinstance(message, (Done, Failed)):
                    worker.items.popleft()
                    worker.losses = 0
                    yield message
                elif isinstance(message, Ready):
                    worker.ready = True
                    _give(worker)
                elif worker.items:  # it has done the one that it had
                    _give(worker)
                else:
                    del busy[connection]
            for worker in [one for one in busy.values() if self._left(one) <= 0 and not one.connection.poll()]:
                worker.process.kill()
                worker.process.join()
                yield from self._lost(worker, busy, Lost(f"was ended after {self._seconds:g} s on one image", True))

    def _left(self, worker: Worker) -> float:
        """The seconds that a worker has until it is ended."""
        seconds = self._seconds if worker.ready else max(self._seconds, SECONDS)
        return worker.since + (PATIENCE if worker.ending else seconds) - time.monotonic()

    def _lost(self, worker: Worker, busy: dict[Any, Worker], lost: Lost) -> Iterator[Failed[Item]]:
        """Put another process into the place of one that is lost, and give the item that is known to be why."""
        del busy[worker.connection]
        if worker.ending:
            return
        worker.losses += 1
        if worker.single and worker.items:
            yield Failed(worker.items.popleft(), f"the process that worked on it alone {lost.reason}")
        again = lost.died and bool(worker.items) and worker.losses < (GIVE_UP if worker.ready else 2)
        told = "; another one goes on" if again else ""
        self._on_lost(f"worker {worker.shard}: {lost.reason}{told}")
        if not again:
            worker.lost = True
            return
        other = self._started(worker.shard)
        other.items, other.losses, other.alone = worker.items, worker.losses, ALONE
        self._workers[self._workers.index(worker)] = other
        worker.connection.close()
        busy[other.connection] = other

    def _started(self, shard: Shard) -> Worker:
        context = get_context("spawn")  # a fork would share locks and the state of CUDA
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(self._build, shard, self._threads, theirs), daemon=True)
        with _interrupts_ignored():  # the terminal sends Ctrl-C to all; only this process shall act upon it
            process.start()
        theirs.close()
        return Worker(shard, process, ours)


def _give(worker: Worker) -> None:
    """Send the items, or the next one."""
    worker.since = time.monotonic()
    worker.single = worker.alone > 0
    worker.alone = max(0, worker.alone - 1)
    with suppress(OSError):  # it has ended already; why is read later
        worker.connection.send(list(worker.items)[: 1 if worker.single else None])


def _received(worker: Worker) -> Outcome[Any, Any] | Ready | Finished | Lost:
    try:
        return worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join(PATIENCE)
        return Lost(f"ended early (exit code {worker.process.exitcode})", died=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that are started inside never receive Ctrl-C."""
    if current_thread() is not main_thread():  # which alone is interrupted
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
