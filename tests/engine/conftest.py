"""Tasks, and a module of the user's own that spawned workers can import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest

from feedseg.engine.task import Task

WORK = '''
"""What workers do in the tests; numbers are doubled."""

import os
import signal
import sys
import time
from itertools import islice

from feedseg.engine.task import Task
from feedseg.errors import FeedsegError


class Double(Task):
    def load(self, item):
        if item == "unreadable":
            raise FeedsegError("it cannot be read")
        return item

    def process(self, loaded):
        for item in loaded:
            if item == "exit":
                os._exit(3)
            if item == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if item == "hang":
                time.sleep(1000)
            if isinstance(item, tuple):  # a file that is not there the first time
                there = os.path.exists(item[0])
                open(item[0], "w").close()
                if not there:
                    os.kill(os.getpid(), signal.SIGKILL)
            if item == "broken":
                raise IndexError("7")
            yield 2 * item


class Late(Double):
    """Answers once it is told to, by a line on a pipe."""

    def process(self, loaded):
        for item in loaded:
            with open(item) as pipe:
                yield pipe.readline().strip()


class Together(Double):
    """Takes three at once."""

    def process(self, loaded):
        loaded = iter(loaded)
        while batch := list(islice(loaded, 3)):
            yield from list(Double.process(self, batch))


class Writes(Double):
    """Finishes once it is told to, by a line on a pipe beside a file that it makes."""

    def finish(self, item, processed):
        with open(item, "w") as file:
            file.write(str(os.getpid()))
        os.replace(item, item + ".begun")
        with open(item + ".pipe") as pipe:
            return pipe.readline().strip()


def build(shard):
    return Double()


def build_writes(shard):
    return Writes()


def build_together(shard):
    return Together()


def build_never(shard):
    os.kill(os.getpid(), signal.SIGKILL)


def build_late(shard):
    return Late()


def build_first_only(shard):
    if shard.number > 1:
        raise FeedsegError("there is no model")
    return Double()
'''


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module above, importable as `work_of_a_test` here and in spawned processes."""
    folder = tmp_path / "importable"
    folder.mkdir()
    (folder / "work_of_a_test.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(folder))
    yield import_module("work_of_a_test")
    sys.modules.pop("work_of_a_test", None)


class Batches(Task[str, str]):
    """Takes four items at once, as a segmenter on an accelerator does, and answers with their names."""

    def __init__(self, wrong: dict[str, Exception], load: Callable[[str], str], size: int) -> None:
        self.wrong, self.size = wrong, size
        self.read = load
        self.batches: list[list[str]] = []

    def load(self, item: str) -> str:
        return self.read(item)

    def process(self, loaded: Iterable[str]) -> Iterator[str]:
        loaded = iter(loaded)
        while batch := list(islice(loaded, self.size)):
            self.batches.append(batch)
            for name in batch:
                if name in self.wrong:
                    raise self.wrong[name]
            yield from batch


@pytest.fixture
def batches() -> Callable[..., Batches]:
    """`batches(wrong={}, load=…, size=4)`: a task that computes several items together."""

    def make(wrong: dict[str, Exception] | None = None, load: Callable[[str], str] = str, size: int = 4) -> Batches:
        return Batches(wrong or {}, load, size)

    return make
