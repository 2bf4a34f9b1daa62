"""Interrupts that arrive only where nothing is half done."""

from __future__ import annotations

import signal
from threading import Thread

import pytest

from feedseg.engine.interrupts import (
    Terminated,
    interruptible,
    interruptible_each,
    interrupts_held,
    termination_raised,
    unbroken,
)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_an_interrupt_waits_for_where_it_loses_nothing(number: signal.Signals, kind: type[BaseException]) -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    done = []
    with interrupts_held():
        signal.raise_signal(number)
        done.append("written")
        with pytest.raises(kind) as raised, interruptible():
            done.append("not reached")
        with interruptible():  # it was raised once
            done.append("next")
        with pytest.raises(kind), interruptible():
            signal.raise_signal(number)
    assert done == ["written", "next"]
    assert raised.type is kind
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_interrupt_does_not_wait() -> None:
    with interrupts_held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_in_what_is_unbroken_a_second_one_waits_too() -> None:
    done = []
    with interrupts_held():
        with unbroken():
            for _ in range(2):
                signal.raise_signal(signal.SIGTERM)
            done.append("written")
            with pytest.raises(Terminated), interruptible():
                done.append("not reached")
        with interruptible():
            done.append("next")
    assert done == ["written", "next"]


def test_between_values_an_interrupt_waits_for_the_next_one() -> None:
    seen = []

    def work() -> None:
        for value in interruptible_each("abc"):
            if value == "b":
                signal.raise_signal(signal.SIGINT)
            seen.append(value)

    with interrupts_held(), pytest.raises(KeyboardInterrupt):
        work()
    assert seen == ["a", "b"]
    assert list(interruptible_each("abc")) == ["a", "b", "c"]


def test_who_ignores_interrupts_goes_on_ignoring_them() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held(), interruptible():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_change_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    found = []

    def work() -> None:
        with interrupts_held(), termination_raised(), interruptible():
            found.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]


def test_sigterm_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt) as raised, termination_raised():
        signal.raise_signal(signal.SIGTERM)
    assert raised.type is Terminated
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
