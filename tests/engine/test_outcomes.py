"""Reasons in one line."""

from __future__ import annotations

import pytest

from feedseg.engine.outcomes import explain, memory_advice
from feedseg.errors import FeedsegError


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    ],
)
def test_a_lack_of_memory_is_recognised(error: Exception) -> None:
    assert "--short-side" in (memory_advice(error) or "")
    assert explain(error) == memory_advice(error)


def test_other_errors_are_no_lack_of_memory() -> None:
    assert memory_advice(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


def test_defects_are_told_with_their_class_and_errors_for_the_user_as_they_are() -> None:
    assert explain(FeedsegError("a.png is no image")) == "a.png is no image"
    assert explain(ZeroDivisionError("a defect\n of the program")) == (
        "unexpected ZeroDivisionError: a defect of the program"
    )
    assert explain(KeyError()) == "unexpected KeyError"


def test_tracebacks_on_demand(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FEEDSEG_DEBUG", "1")
    explain(FeedsegError("for the user"))
    assert capsys.readouterr().err == ""
    explain(ZeroDivisionError("a defect"))
    assert "ZeroDivisionError: a defect" in capsys.readouterr().err
