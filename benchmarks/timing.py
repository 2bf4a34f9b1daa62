"""Seconds and memory of a piece of work, on a CPU or on CUDA, and work in a process of its own."""

from __future__ import annotations

import ctypes
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch

from parts import Figures, Setup

Work = Callable[[], object]
T = TypeVar("T")
M_MMAP_THRESHOLD = -3  # malloc.h


def seconds(work: Work, device: str) -> float:
    """How long one call takes; on CUDA by the device's own events."""
    if device == "cpu":
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    work()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / 1000


def in_turn(works: Mapping[str, Work], repeats: int, device: str) -> dict[str, Figures]:
    """The spread of each: once without counting, then all of them in turn, so that a busy machine slows all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            taken = seconds(work, device)
            if repeat:
                times[name].append(taken)
    return {name: spread(of_work) for name, of_work in times.items()}


def spread(times: Sequence[float]) -> Figures:
    """Median, smallest and largest."""
    return {"median": median(times), "least": min(times), "most": max(times), "repeats": len(times)}


class Memory:
    """The most memory held since this was made: CUDA's own count, or what the operating system says of the process.

    Linux is asked to begin its count anew, with what was freed given back first; elsewhere the count is of the whole
    process, and less than the truth where it held more before.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        if device != "cpu":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
            return
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
        self.before = self.peak

    @property
    def peak(self) -> int:
        """Bytes."""
        if self._device != "cpu":
            return torch.cuda.max_memory_allocated()
        if sys.platform == "linux":
            lines = Path("/proc/self/status").read_text().splitlines()
            return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024

    @property
    def added(self) -> int:
        """Bytes beyond what was held at the beginning."""
        return self.peak - self.before


def free_at_once() -> None:
    """Tell a fresh process's glibc to give blocks of a megabyte and more back as soon as they are freed.

    Then only what is held counts as memory, and not the holes in its heap. Allocating takes longer: time elsewhere.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


@contextmanager
def own_process(setup: Setup) -> Iterator[Callable[..., Any]]:
    """A fresh process, as a function: (work, *arguments) to what work(setup, *arguments) returns there."""
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (setup.threads,)) as process:
        yield lambda work, *arguments: process.submit(work, setup, *arguments).result()


def alone(setup: Setup, work: Callable[..., T], *arguments: Any) -> T:
    """work(setup, *arguments) in a process of its own."""
    with own_process(setup) as call:
        return call(work, *arguments)
