"""Ctrl-C and SIGTERM that arrive only where nothing is half done."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread
from typing import Any, TypeVar

T = TypeVar("T")


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by SIGTERM; what an interrupt ends, this ends."""


@dataclass
class _State:
    held: bool = False
    interruptible: int = 0  # how many sections that may be interrupted are entered
    unbroken: int = 0  # how many sections that nothing may interrupt
    pending: type[KeyboardInterrupt] | None = None


_STATE = _State()  # signals are the process's


@contextmanager
def termination_raised() -> Iterator[None]:
    """Inside, SIGTERM raises `Terminated`, as Ctrl-C raises KeyboardInterrupt, where nobody wants it otherwise."""
    if current_thread() is not main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def receive(*_: Any) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, receive)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Inside, an interrupt waits for the next `interruptible` section; a second one does not wait.

    So files are written, recorded and told, or not begun. Does nothing in other threads than the main one, which
    alone receives signals, nor inside itself.
    """
    if current_thread() is not main_thread() or _STATE.held:
        yield
        return
    kinds = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}

    def receive(number: int, _: Any) -> None:
        kind = kinds[signal.Signals(number)]
        if _STATE.interruptible or (_STATE.pending and not _STATE.unbroken):
            _STATE.pending = None
            raise kind
        _STATE.pending = kind

    before = {number: signal.getsignal(number) for number in kinds}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # whoever started this process wants it so
            signal.signal(number, receive)
    _STATE.held = True
    try:
        yield
    finally:
        _STATE.held, _STATE.pending = False, None
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


@contextmanager
def interruptible() -> Iterator[None]:
    """A section in which an interrupt loses nothing; raises one that has been waiting."""
    if not _STATE.held or current_thread() is not main_thread():
        yield
        return
    _STATE.interruptible += 1
    try:
        if (kind := _STATE.pending) is not None:
            _STATE.pending = None
            raise kind
        yield
    finally:
        _STATE.interruptible -= 1


@contextmanager
def unbroken() -> Iterator[None]:
    """A section, where interrupts are held, in which a second one waits like the first: for what takes a moment.

    A section inside that is `interruptible` still is.
    """
    if not _STATE.held or current_thread() is not main_thread():
        yield
        return
    _STATE.unbroken += 1
    try:
        yield
    finally:
        _STATE.unbroken -= 1


def interruptible_each(values: Iterable[T]) -> Iterator[T]:
    """The same values; an interrupt arrives only while the next one is awaited."""
    values = iter(values)
    while True:
        with interruptible():
            try:
                value = next(values)
            except StopIteration:
                return
        yield value
        del value
