"""Applying a task in several processes of this machine, each of which builds a task of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import current_thread, main_thread
from typing import Any, Generic

from feedseg.engine.interrupts import Terminated, interruptible, interrupts_held
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Done, Failed, Item, Outcome, Result, explain
from feedseg.engine.shards import Shard
from feedseg.engine.task import Task

PATIENCE = 60.0  # seconds for a worker that was told to end; then it is killed
Build = Callable[[Shard], Task[Item, Result]]  # a worker's task; a function or a partial of one, which can be pickled


@dataclass(frozen=True)
class Lost:
    """A worker's last words: why it cannot go on."""

    reason: str


@dataclass(frozen=True)
class Finished:
    """A worker has done all that it was given."""


@dataclass
class Worker:
    """A process that was started, and this end of its connection."""

    shard: Shard
    process: BaseProcess
    connection: Connection
    lost: bool = False
    ending: bool = False  # because it was told to


class Processes(Generic[Item, Result]):
    """Workers that live until this is closed: `with Processes(build, 4) as executor: executor.map(items)`.

    A worker that ends early ends no other one. What it lacks has no outcome, and `on_lost` is told why.
    """

    def __init__(
        self, build: Build[Item, Result], workers: int, threads: int = 0, on_lost: Callable[[str], None] | None = None
    ) -> None:
        """Start the workers.

        Args:
            build: makes the task of a worker, inside it.
            workers: how many processes.
            threads: that load ahead in every worker.
            on_lost: called with one line for every worker that ends early.
        """
        self._on_lost = on_lost
        self._workers: list[Worker] = []
        context = get_context("spawn")  # a fork would share locks and the state of CUDA
        try:
            for number in range(1, workers + 1):
                shard = Shard(number, workers)
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(build, shard, threads, theirs), daemon=True)
                with _interrupts_ignored():  # the terminal sends Ctrl-C to all; only this process shall act upon it
                    process.start()
                theirs.close()
                self._workers.append(Worker(shard, process, ours))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Processes[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; files that one is writing are finished first."""
        for worker in self._workers:
            worker.process.terminate()
            worker.connection.close()  # so that it waits for nobody to take what it has
        for worker in self._workers:
            worker.process.join(PATIENCE)
            worker.process.kill()
            worker.process.join()
        self._workers = []

    def map(self, items: Sequence[Item]) -> Generator[Outcome[Item, Result], None, None]:
        """See `Executor.map`: outcomes come as they are ready, those of one worker in order."""
        workers = [worker for worker in self._workers if not worker.lost]
        for number, worker in enumerate(workers, start=1):
            with suppress(OSError):  # it has ended already; why is read below
                worker.connection.send(list(Shard(number, len(workers)).of_items(items)))
        busy: dict[Any, Worker] = {worker.connection: worker for worker in workers}
        try:
            yield from self._outcomes(busy)
        except KeyboardInterrupt:
            for worker in busy.values():
                worker.process.terminate()
                worker.ending = True
            yield from self._outcomes(busy)  # of what was finished until then
            self.close()
            raise
        finally:
            if busy:  # nobody wants the rest
                self.close()

    def _outcomes(self, busy: dict[Any, Worker]) -> Iterator[Outcome[Item, Result]]:
        """What workers say until each has done all or is lost; those leave `busy`."""
        while busy:
            with interruptible():
                ready = wait(list(busy))
            for connection in ready:
                worker = busy[connection]
                message = _received(worker)
                if isinstance(message, (Done, Failed)):
                    yield message
                    continue
                del busy[connection]
                if isinstance(message, Lost) and not worker.ending:
                    worker.lost = True
                    if self._on_lost is not None:
                        self._on_lost(f"worker {worker.shard}: {message.reason}")


def _received(worker: Worker) -> Outcome[Any, Any] | Finished | Lost:
    try:
        return worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        return Lost(f"ended early (exit code {worker.process.exitcode})")


def _work(build: Build[Any, Any], shard: Shard, threads: int, connection: Connection) -> None:
    """A worker's whole life, until it is terminated or the process that asked for it is gone."""
    gone = (BrokenPipeError, EOFError, ConnectionResetError)
    with suppress(Terminated, *gone), interrupts_held():
        try:
            with interruptible():
                executor = Local(build(shard), threads)
            while True:
                with interruptible():
                    items = connection.recv()
                for outcome in executor.map(items):
                    connection.send(outcome)
                connection.send(Finished())
        except gone:
            raise
        except Exception as error:
            connection.send(Lost(explain(error)))


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
