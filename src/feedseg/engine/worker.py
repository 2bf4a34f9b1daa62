"""The life of a process that applies a task for another one, and what it says to that one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from feedseg.engine.interrupts import Terminated, interruptible, interrupts_held, unbroken
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Item, Result, explain
from feedseg.engine.shards import Shard
from feedseg.engine.task import Task

PATIENCE = 60.0  # seconds for a worker that was told to end, or whose parent is gone; then it ends whatever it does
Build = Callable[[Shard], Task[Item, Result]]  # a worker's task; a function or a partial of one, which can be pickled


@dataclass(frozen=True)
class Ready:
    """A worker has built its task."""


@dataclass(frozen=True)
class Finished:
    """A worker has done all that it was given."""


@dataclass(frozen=True)
class Lost:
    """A worker's last words: why it cannot go on."""

    reason: str
    died: bool = False  # without a word, so that another one may do better


def work(build: Build[Any, Any], shard: Shard, threads: int, connection: Connection) -> None:
    """A worker's whole life, until it is terminated or the process that asked for it is gone.

    However often it is told to end, what it is writing is finished, and what it has finished is said.
    """
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    gone = (BrokenPipeError, EOFError, ConnectionResetError)
    with suppress(Terminated, *gone), interrupts_held(), unbroken():
        try:
            with interruptible():
                executor = Local(build(shard), threads)
            connection.send(Ready())
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


def _end_with_parent() -> None:
    """End this process a while after its parent, also where it hangs and would never notice."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        time.sleep(PATIENCE)
        os._exit(1)
