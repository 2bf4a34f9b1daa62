"""Measuring here, or in several processes on this machine, each with its own share and journal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from feedseg.apps.cli.console import explained
from feedseg.apps.cli.experiments import Request, Task, prepare
from feedseg.engine.journal import Failed, Share
from feedseg.errors import FeedsegError
from feedseg.evaluation.run import run_share

Heard = Callable[[str, str | None], None]  # of every picture: its benchmark, and what went wrong, if anything
Lost = Callable[[str], None]  # of a process that ended early: which, and why


def measure_here(tasks: Sequence[Task], share: Share, workers: int, heard: Heard) -> None:
    """Measure what a share still lacks of every benchmark."""
    for task in tasks:
        for outcome in run_share(task.bench, task.samples, task.folder, share, workers):
            heard(task.benchmark.name, str(outcome) if isinstance(outcome, Failed) else None)


@dataclass(frozen=True)
class _Worker:
    share: Share
    process: BaseProcess
    ear: Connection


def measure_apart(request: Request, shards: int, heard: Heard, lost: Lost) -> None:
    """Measure in so many processes, on CUDA each on the next device.

    A process that ends early does not end the others: what it lacks is measured the next time.
    """
    context = get_context("spawn")  # a fork would share locks and CUDA's state
    threads = max(1, torch.get_num_threads() // shards)
    workers: list[_Worker] = []
    try:
        for number in range(1, shards + 1):
            ear, mouth = context.Pipe(duplex=False)
            arguments = (_on_device(request, number), Share(number, shards), threads, mouth)
            process = context.Process(target=_work, args=arguments, daemon=True)
            with _deaf_to_interrupts():  # the terminal sends Ctrl-C to all; only this process shall act upon it
                process.start()
            mouth.close()
            workers.append(_Worker(Share(number, shards), process, ear))
        _listen(workers, heard, lost)
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.process.join()


def _listen(workers: Sequence[_Worker], heard: Heard, lost: Lost) -> None:
    """Pass on at once what the processes say, until all have ended."""
    listening: dict[Any, _Worker] = {worker.ear: worker for worker in workers}
    finished = set()
    while listening:
        for ear in wait(list(listening)):
            worker = listening[ear]
            try:
                kind, *rest = worker.ear.recv()
            except (EOFError, OSError):
                del listening[ear]
                worker.process.join()
                if worker.share not in finished:
                    lost(f"share {worker.share} ended early (exit code {worker.process.exitcode})")
                continue
            if kind == "picture":
                heard(*rest)
            else:
                finished.add(worker.share)
                if kind == "error":
                    lost(f"share {worker.share}: {rest[0]}")


def _work(request: Request, share: Share, threads: int, mouth: Connection) -> None:
    """A process's whole life."""
    torch.set_num_threads(threads)
    try:
        tasks = prepare(request, visible=False)
        measure_here(tasks, share, request.workers, lambda *said: mouth.send(("picture", *said)))
        mouth.send(("end",))
    except BrokenPipeError:  # the process that asked for it is gone; what was measured is in the journal
        return
    except FeedsegError as error:
        mouth.send(("error", str(error)))
    except Exception as error:
        mouth.send(("error", explained(error)))


def _on_device(request: Request, number: int) -> Request:
    """The same with a CUDA device of its own for a process; one device is shared where there are no more."""
    wanted = request.options["device"]
    cuda = wanted == "cuda" or (wanted is None and torch.cuda.is_available())
    if not cuda:
        return request
    device = f"cuda:{(number - 1) % max(1, torch.cuda.device_count())}"
    return replace(request, options={**request.options, "device": device})


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What is started inside never hears of Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
