"""Applying a task on a Ray cluster: workers for slices of its computers, fed a few items at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from feedseg.engine.cluster_connection import Slice, chosen_slice, computers, joined, number_of
from feedseg.engine.cluster_todo import Given, Todo
from feedseg.engine.cluster_worker import Answer, ClusterWorker
from feedseg.engine.interrupts import interruptible
from feedseg.engine.outcomes import Done, Failed, Item, Outcome, Result
from feedseg.engine.processes import GIVE_UP, SECONDS
from feedseg.engine.shards import Shard
from feedseg.engine.worker import Build, Lost, Ready

if TYPE_CHECKING:
    from ray.exceptions import RayError

LOOK = 0.25  # seconds after which an interrupt is noticed
AIM = 5.0  # seconds that what is given at a time should take
MOST = 64  # items given at a time
TRIES = 3  # losses of a worker that had an item alone, after which the item fails


class Gone(Lost):
    """A worker was lost with its computer, for which neither it nor what it had is to blame."""


@dataclass(frozen=True)
class Wanted:
    """Which cluster, and how much of it."""

    address: str | None = None  # see `joined`
    workers: int | None = None  # None for as many as fit
    cpus: float | None = None  # of each worker; None for what `chosen_slice` says
    gpus: float | None = None


@dataclass(eq=False)
class Worker:
    """A worker that was asked for, and what it was given."""

    shard: Shard
    actor: Any
    pending: Any  # what it says next: a reference, or the stream of its answers
    items: deque[Given] = field(default_factory=deque)  # without an answer, in order
    since: float = field(default_factory=time.monotonic)  # when it was last heard of
    ready: bool = False
    size: int = 1  # how many items it is given next
    began: float = 0.0  # when it was given those that it has
    given: int = 0  # how many these were
    losses: int = 0  # in its place, one after the other


class Cluster(Generic[Item, Result]):
    """Workers on the cluster that this process has joined (`feedseg.engine.cluster_connection.joined`), until closed.

    Every worker builds the task once. It is given as many items as take a few seconds, and the next ones when it has
    answered: so results wait nowhere in numbers, a slow computer gets less, and the loss of one loses little. What a
    lost worker has not answered is given to others, and its place is filled wherever the cluster has room, which may
    be never. An item that was alone on three workers that were lost fails. What cannot begin, or is lost again and
    again, is given up; what nobody could do has no outcome.
    """

    def __init__(
        self,
        build: Build[Item, Result],
        workers: int,
        of_each: Slice | None = None,
        threads: int = 0,
        on_lost: Callable[[str], None] | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Ask for the workers; Ray starts each where its slice is free.

        Args:
            build: makes the task of a worker, inside it; a function that every computer of the cluster can import, or
                a partial of one.
            workers: how many.
            of_each: what each has for itself.
            threads: that load ahead in every worker.
            on_lost: called with one line for every worker that is lost.
            seconds: that a worker may go without an answer; then it is ended.
        """
        self._build, self._threads, self._seconds = build, threads, seconds
        self._slice = of_each or Slice()
        self._on_lost = on_lost or (lambda _: None)
        self._workers = [self._started(Shard(number, workers)) for number in range(1, workers + 1)]

    def __enter__(self) -> Cluster[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers at once."""
        import ray

        for worker in self._workers:
            with suppress(Exception):  # of a cluster that is gone
                ray.kill(worker.actor)
        self._workers = []

    def map(self, items: Sequence[Item]) -> Generator[Outcome[Item, Result], None, None]:
        """See `Executor.map`: outcomes come as they are ready. After an interrupt come those that are there already."""
        todo = Todo(items)
        for worker in self._workers:
            worker.since = time.monotonic()
        try:
            yield from self._outcomes(todo)
        except KeyboardInterrupt:
            yield from self._arrived()
            self.close()
            raise
        finally:
            if any(worker.items for worker in self._workers):  # nobody wants the rest
                self.close()

    def _outcomes(self, todo: Todo) -> Iterator[Outcome[Item, Result]]:
        import ray

        while True:
            for worker in self._workers:
                if worker.ready and worker.pending is None and (share := todo.taken(worker.size, len(self._workers))):
                    self._give(worker, share)
            waited = {worker.pending: worker for worker in self._workers if worker.pending is not None}
            if not (todo or any(worker.items for worker in self._workers)) or not waited:
                return
            arrived, _ = ray.wait([*waited], timeout=LOOK, fetch_local=False)
            with interruptible():  # not while Ray waits, which takes any interrupt for Ctrl-C
                pass
            for pending in arrived:
                yield from self._heard(waited[pending], todo)
            for worker in [one for one in waited.values() if one.pending is not None and self._left(one) <= 0]:
                yield from self._lost(
                    worker, Lost(f"was ended after {self._seconds:g} s on one image", died=True), todo
                )

    def _heard(self, worker: Worker, todo: Todo) -> Iterator[Outcome[Item, Result]]:
        """What a worker has said."""
        message = _said(worker)
        worker.since = time.monotonic()
        if isinstance(message, Answer):
            worker.losses = 0
            yield _outcome(worker.items.popleft().item, message)
        elif isinstance(message, Ready):
            worker.ready, worker.pending = True, None
        elif isinstance(message, Lost):
            yield from self._lost(worker, message, todo)
        elif worker.items:
            yield from self._lost(worker, Lost("lost some of what it was given", died=True), todo)
        else:
            worker.pending = None
            seconds = (time.monotonic() - worker.began) / worker.given
            worker.size = max(1, min(MOST, 4 * worker.size, int(AIM / max(seconds, 1e-6))))

    def _arrived(self) -> Iterator[Outcome[Item, Result]]:
        """What has been answered by now."""
        import ray

        for worker in self._workers:
            while worker.items:
                ready, _ = ray.wait([worker.pending], timeout=0, fetch_local=False)
                message = _said(worker) if ready else None
                if not isinstance(message, Answer):
                    break
                yield _outcome(worker.items.popleft().item, message)

    def _give(self, worker: Worker, share: list[Given]) -> None:
        worker.items = deque(share)
        worker.began = worker.since = time.monotonic()
        worker.given = len(share)
        run = worker.actor.run.options(num_returns="streaming")
        worker.pending = run.remote([one.item for one in share])

    def _left(self, worker: Worker) -> float:
        """The seconds that a worker has until it is ended; one that is not ready may wait for room in the cluster."""
        return worker.since + (self._seconds if worker.ready else max(self._seconds, SECONDS)) - time.monotonic()

    def _lost(self, worker: Worker, lost: Lost, todo: Todo) -> Iterator[Failed[Item]]:
        """Ask for another worker in the place of one that is lost, and have what it has not answered done again."""
        import ray

        with suppress(Exception):  # it is gone
            ray.kill(worker.actor)
        blamed = not isinstance(lost, Gone)
        if blamed and worker.given == 1 and worker.items:
            worker.items[0].losses += 1
            if worker.items[0].losses >= TRIES:
                yield Failed(worker.items.popleft().item, f"the worker that had it alone {lost.reason}, {TRIES} times")
        todo.put_back(worker.items)
        worker.items, worker.pending = deque(), None
        losses = worker.losses + blamed
        again = lost.died and losses < (GIVE_UP if worker.ready else 2)
        self._on_lost(f"worker {worker.shard} {lost.reason}{'; another one goes on' if again else ''}")
        place = self._workers.index(worker)
        if again:
            self._workers[place] = other = self._started(worker.shard)
            other.losses = losses
        else:
            del self._workers[place]

    def _started(self, shard: Shard) -> Worker:
        import ray

        remote: Any = ray.remote
        kind = remote(ClusterWorker).options(
            num_cpus=self._slice.cpus,
            num_gpus=self._slice.gpus,
            max_restarts=0,  # who takes its place is decided here, with what it had
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        actor = kind.remote(self._build, shard, self._threads, str(Path.cwd()))
        return Worker(shard, actor, actor.ready.remote())


def cluster_for(
    wanted: Wanted,
    build: Callable[[int], Build[Item, Result]],
    most: int,
    readers: int,
    stack: ExitStack,
    on_lost: Callable[[str], None] | None = None,
    seconds: float = SECONDS,
) -> Cluster[Item, Result]:
    """The workers of a cluster that is joined, or started, until the stack is closed.

    Args:
        wanted: which cluster, and how much of it.
        build: makes the task of a worker, of the number of threads that the worker may compute with.
        most: workers that can have something to do.
        readers: threads that load ahead in every worker.
        stack: leaves the cluster.
        on_lost: see `Cluster`, as are the seconds.

    Raises:
        FeedsegError: see `joined` and `chosen_slice`.
    """
    stack.enter_context(joined(wanted.address))
    having = computers()
    each = chosen_slice(wanted.cpus, wanted.gpus, having)
    workers = max(1, min(wanted.workers or number_of(each, having), most))
    cluster = Cluster(build(max(1, int(each.cpus))), workers, each, readers, on_lost, seconds)
    return stack.enter_context(cluster)


def _outcome(item: Any, answer: Answer) -> Outcome[Any, Any]:
    return Done(item, answer.result) if answer.reason is None else Failed(item, answer.reason)


def _said(worker: Worker) -> Answer | Ready | Lost | None:
    """What a worker has said, which is there; None for the end of its answers."""
    import ray
    from ray.exceptions import RayError

    try:
        message: Any = ray.get(next(worker.pending) if worker.ready else worker.pending)
        return message
    except StopIteration:
        return None
    except RayError as error:
        return _loss(error)


def _loss(error: RayError) -> Lost:
    """In a few words what has become of a worker; Ray's own are a page."""
    from ray.exceptions import ActorUnavailableError, OutOfMemoryError

    if "creation task" in str(error):  # what it was sent cannot be imported there, for example
        return Lost(f"cannot begin: {str(error).strip().splitlines()[-1].strip()}")
    if isinstance(error, ActorUnavailableError) or "node has died" in str(error):
        return Gone("is on a computer that is gone", died=True)
    if isinstance(error, OutOfMemoryError) or "out of memory" in str(error).lower().partition("some common causes")[0]:
        return Lost("was ended as its computer ran out of memory", died=True)
    return Lost("ended early", died=True)
