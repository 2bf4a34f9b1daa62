"""What lives in a worker of a Ray cluster, and what it says to the driver."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from feedseg.engine.local import Local
from feedseg.engine.outcomes import Failed, explain
from feedseg.engine.shards import Shard
from feedseg.engine.worker import Build, Lost, Ready


@dataclass(frozen=True)
class Answer:
    """An outcome without its item, which the driver has: the result, or the reason why there is none."""

    result: Any = None
    reason: str | None = None


class ClusterWorker:
    """A worker's task, built once, and whatever it is given to do."""

    def __init__(self, build: Build[Any, Any], shard: Shard, threads: int, folder: str) -> None:
        """Do nothing yet, so that a task which cannot be built has a reason that reaches the driver.

        Args:
            build: makes the task.
            shard: which of how many workers this is.
            threads: that load ahead.
            folder: the driver's, which relative paths are of; where there is none of that name, they lead nowhere.
        """
        with suppress(OSError):
            os.chdir(folder)
        self._build, self._shard, self._threads = build, shard, threads
        self._executor: Local[Any, Any] | None = None

    def ready(self) -> Ready | Lost:
        """That the task is built, or why it cannot be."""
        try:
            self._executor = Local(self._build(self._shard), self._threads)
        except Exception as error:
            return Lost(explain(error))
        return Ready()

    def run(self, items: Sequence[Any]) -> Iterator[Answer | Lost]:
        """An answer for every item, in order, or why it cannot go on."""
        assert self._executor is not None  # `ready` is asked for first
        try:
            for outcome in self._executor.map(items):
                if isinstance(outcome, Failed):
                    yield Answer(reason=outcome.reason)
                else:
                    yield Answer(outcome.result)
        except Exception as error:
            yield Lost(explain(error))
