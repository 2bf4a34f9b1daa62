"""The common loop: resuming, failures, interrupts, journals that take no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from feedseg.engine.journal import JournalFolder
from feedseg.engine.local import Local
from feedseg.engine.outcomes import Done, Failed, Outcome
from feedseg.engine.run import INTERRUPTED, SOME_FAILED, SUCCESS, Recording, Totals, run
from feedseg.errors import FeedsegError

ITEMS = ["a", "b", "c", "d"]


def recording(folder: Path, **fingerprint: Any) -> Recording[str, str]:
    return Recording(JournalFolder(folder, "letters"), fingerprint, str, lambda result: {"upper": result.upper()})


def results(folder: Path) -> list[tuple[str, Any]]:
    return [(record.item, record.result or record.error) for _, record in JournalFolder(folder, "letters").records()]


def test_without_a_journal_everything_is_processed_every_time(batches) -> None:
    task = batches()
    seen: list[Outcome[str, str]] = []
    for _ in range(2):
        totals = run(Local(task), ITEMS, progress=seen.append)
        assert (totals.wanted, totals.skipped, totals.done, totals.failed, totals.missing) == (4, 0, 4, [], 0)
        assert totals.exit_code == SUCCESS
    assert seen == [Done(item, item) for item in ITEMS] * 2


def test_a_run_goes_on_after_what_is_done_and_tries_failures_again(batches, tmp_path: Path) -> None:
    first = run(Local(batches({"b": ValueError("wrong")}, size=1)), ITEMS[:3], recording(tmp_path))
    assert first.exit_code == SOME_FAILED
    assert first.failed == [Failed("b", "unexpected ValueError: wrong")]
    task = batches(size=1)
    second = run(Local(task), ITEMS, recording(tmp_path))
    assert task.batches == [["b"], ["d"]]
    assert (second.skipped, second.done, second.exit_code) == (2, 2, SUCCESS)
    assert results(tmp_path) == [
        ("a", {"upper": "A"}),
        ("b", "unexpected ValueError: wrong"),
        ("c", {"upper": "C"}),
        ("b", {"upper": "B"}),
        ("d", {"upper": "D"}),
    ]
    assert recording(tmp_path).lacking([*ITEMS, "e"]) == ["e"]
    with pytest.raises(FeedsegError, match="new was absent, now 1"):
        run(Local(task), ITEMS, recording(tmp_path, new=1))


def test_an_interrupt_while_one_is_told_keeps_what_others_have_made(tmp_path: Path) -> None:
    class Workers:
        """Once they are told of an interrupt they say what they have finished."""

        def map(self, items: Sequence[str]) -> Iterator[Outcome[str, str]]:
            try:
                for item in items:
                    yield Done(item, item)
            except KeyboardInterrupt:
                yield from (Done("c", "c"), Failed("d", "wrong"))
                raise

    def interrupt(outcome: Outcome[str, str]) -> None:
        if outcome.item in "bc":  # a second time, too
            raise KeyboardInterrupt

    totals = run(Workers(), ITEMS, recording(tmp_path), interrupt)
    assert (totals.interrupted, totals.done, totals.exit_code) == (True, 3, INTERRUPTED)
    assert [item for item, _ in results(tmp_path)] == ["a", "b", "c"]


def test_an_interrupt_keeps_what_was_reached(batches, tmp_path: Path) -> None:
    def interrupt(outcome: Outcome[str, str]) -> None:
        if outcome.item == "b":
            raise KeyboardInterrupt

    totals = run(Local(batches(size=1), threads=1), ITEMS, recording(tmp_path), interrupt)
    assert (totals.done, totals.missing, totals.exit_code, totals.stopped) == (2, 2, INTERRUPTED, True)
    assert [item for item, _ in results(tmp_path)] == ["a", "b"]


def test_a_journal_that_takes_no_more_ends_the_run(
    batches, tmp_path: Path, file_size_limit: Callable[[int], None]
) -> None:
    def limit(outcome: Outcome[str, str]) -> None:
        if outcome.item == "a":
            file_size_limit((tmp_path / "letters.jsonl").stat().st_size)

    totals = run(Local(batches(size=1)), ITEMS, recording(tmp_path), limit)
    assert totals.error is not None
    assert "letters.jsonl: File too large" in totals.error
    assert (totals.done, totals.exit_code, totals.stopped) == (1, SOME_FAILED, True)


def test_items_without_an_outcome_are_missing() -> None:
    class LosesLast:
        def map(self, items: Sequence[str]) -> Iterator[Outcome[str, str]]:
            return (Done(item, item) for item in items[:-1])

    totals: Totals[str] = run(LosesLast(), ITEMS)
    assert (totals.done, totals.missing, totals.exit_code) == (3, 1, SOME_FAILED)
