"""The loop that every command runs its items through: skip what is done, process the rest, keep what was reached."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Generic

from feedseg.engine.interrupts import Terminated, interrupts_held, unbroken
from feedseg.engine.journal import Fingerprint, Journal, JournalError, JournalFolder, Record, key_of
from feedseg.engine.outcomes import Done, Failed, Item, Outcome, Result
from feedseg.engine.shards import Shard
from feedseg.engine.task import Executor

SUCCESS, SOME_FAILED, INTERRUPTED, TERMINATED = 0, 1, 130, 143  # exit codes


@dataclass(frozen=True)
class Recording(Generic[Item, Result]):
    """How outcomes are kept in a journal, so that the next run goes on after them."""

    journals: JournalFolder
    fingerprint: Fingerprint  # everything that the results depend on
    identify: Callable[[Item], Any]  # the JSON that tells an item from all others
    encode: Callable[[Result], Mapping[str, Any]]  # a result as JSON
    shard: Shard | None = None  # whose journal it is; None for all the work
    opened: Journal | None = None  # that journal, where it is open already
    current: Set[str] | None = None  # keys of the items whose result still stands; None for all that have one

    def lacking(self, items: Sequence[Item]) -> list[Item]:
        """The items that have no result yet, in order."""
        finished = self.journals.finished() if self.current is None else self.current
        return [item for item in items if key_of(self.identify(item)) not in finished]

    def record(self, outcome: Outcome[Item, Result]) -> Record:
        """The line that stands for an outcome."""
        item = self.identify(outcome.item)
        if isinstance(outcome, Failed):
            return Record(item, error=outcome.reason)
        return Record(item, self.encode(outcome.result))


@dataclass
class Totals(Generic[Item]):
    """What a run came to."""

    wanted: int = 0
    skipped: int = 0  # of these: finished by earlier runs
    done: int = 0
    failed: list[Failed[Item]] = field(default_factory=list)
    interrupted: bool = False
    terminated: bool = False  # interrupted, and by SIGTERM
    error: str | None = None  # why it stopped where a journal takes no more

    @property
    def stopped(self) -> bool:
        """Whether it ended before all items had their turn."""
        return self.interrupted or self.error is not None

    @property
    def missing(self) -> int:
        """Items without an outcome: a worker was lost, or the run stopped."""
        return self.wanted - self.skipped - self.done - len(self.failed)

    @property
    def exit_code(self) -> int:
        """0 if every item has a result, 130 after an interrupt, 143 after SIGTERM, else 1."""
        if self.interrupted:
            return TERMINATED if self.terminated else INTERRUPTED
        return SOME_FAILED if self.failed or self.missing or self.error is not None else SUCCESS


def _told(
    outcomes: Generator[Outcome[Item, Result], None, None], stop: KeyboardInterrupt
) -> Iterator[Outcome[Item, Result]]:
    """What still comes of an executor that is told of an interrupt which arrived elsewhere; raises it in the end."""
    yield outcomes.throw(stop)
    yield from outcomes


def run(
    executor: Executor[Item, Result],
    items: Sequence[Item],
    recording: Recording[Item, Result] | None = None,
    progress: Callable[[Outcome[Item, Result]], None] | None = None,
) -> Totals[Item]:
    """Process the items that have no result yet; one that fails never ends the rest.

    Args:
        executor: applies the task.
        items: all of them, also those that earlier runs have finished.
        recording: where outcomes are kept; None keeps none, and everything is processed.
        progress: called with every outcome, once it is safely in the journal.

    Returns:
        what was reached, also after an interrupt by the user and where a journal takes no more.

    Raises:
        FeedsegError: the journal cannot be opened, or holds results made otherwise.
    """
    with interrupts_held(), ExitStack() as stack:
        journal = None
        todo: Sequence[Item] = items
        if recording is not None:
            journal = recording.opened or stack.enter_context(
                recording.journals.open(recording.fingerprint, recording.shard)
            )
            todo = recording.lacking(items)
        totals: Totals[Item] = Totals(len(items), len(items) - len(todo))
        outcomes = executor.map(todo)
        if isinstance(outcomes, Generator):
            stack.callback(outcomes.close)

        def keep(outcome: Outcome[Item, Result]) -> None:
            with unbroken():
                if journal is not None and recording is not None:
                    journal.append(recording.record(outcome))
                if isinstance(outcome, Done):
                    totals.done += 1
                else:
                    totals.failed.append(outcome)
            if progress is not None:
                progress(outcome)

        try:
            try:
                for outcome in outcomes:
                    keep(outcome)
            except KeyboardInterrupt as stop:
                totals.interrupted, totals.terminated = True, isinstance(stop, Terminated)
                if isinstance(outcomes, Generator):
                    with suppress(KeyboardInterrupt):
                        for outcome in _told(outcomes, stop):
                            keep(outcome)
        except JournalError as error:
            totals.error = str(error)
        return totals
