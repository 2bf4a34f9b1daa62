"""A task in spawned processes, which find modules of the user's own."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedseg.engine.outcomes import Done, Failed
from feedseg.engine.processes import GIVE_UP, Processes


def test_every_item_has_its_outcome_and_workers_serve_several_lists(work) -> None:
    told: list[str] = []
    with Processes(work.build, 2, threads=1, on_lost=told.append) as executor:
        outcomes = list(executor.map([*range(7), "unreadable", "broken"]))
        assert {outcome.item: outcome.result for outcome in outcomes if isinstance(outcome, Done)} == {
            number: 2 * number for number in range(7)
        }
        assert {outcome.item: outcome.reason for outcome in outcomes if isinstance(outcome, Failed)} == {
            "unreadable": "it cannot be read",
            "broken": "unexpected IndexError: 7",
        }
        assert list(executor.map([])) == []
        assert [outcome.item for outcome in executor.map([1])] == [1]
    assert told == []


def test_a_worker_that_ends_early_ends_no_other_and_is_told(work) -> None:
    told: list[str] = []
    with Processes(work.build, 2, on_lost=told.append) as executor:
        outcomes = {outcome.item: outcome for outcome in executor.map(["exit", 1, 2, 3])}
        assert outcomes == {
            1: Done(1, 2),
            2: Done(2, 4),
            3: Done(3, 6),
            "exit": Failed("exit", "the process that worked on it alone ended early (exit code 3)"),
        }
        assert told == ["worker 1/2: ended early (exit code 3); another one goes on"] * 2
        assert sorted(outcome.item for outcome in executor.map([4, 5, 6])) == [4, 5, 6]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_of_items_that_are_processed_together_only_the_one_that_kills_fails(work) -> None:
    told: list[str] = []
    with Processes(work.build_together, 1, threads=1, on_lost=told.append) as executor:
        outcomes = list(executor.map([1, 2, "kill", 3, 4, 5, 6]))
    assert [outcome.item for outcome in outcomes if isinstance(outcome, Done)] == [1, 2, 3, 4, 5, 6]
    assert [outcome for outcome in outcomes if isinstance(outcome, Failed)] == [
        Failed("kill", "the process that worked on it alone ended early (exit code -9)")
    ]
    assert len(told) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_worker_that_is_killed_once_loses_nothing(work, tmp_path: Path) -> None:
    item = (str(tmp_path / "there"),)
    with Processes(work.build, 1) as executor:
        assert list(executor.map([1, item, 2])) == [Done(1, 2), Done(item, 2 * item), Done(2, 4)]


def test_an_item_that_takes_too_long_is_given_up(work) -> None:
    told: list[str] = []
    with Processes(work.build, 1, on_lost=told.append, seconds=2) as executor:
        outcomes = list(executor.map([1, "hang", 2]))
    assert outcomes == [
        Done(1, 2),
        Failed("hang", "the process that worked on it alone was ended after 2 s on one image"),
        Done(2, 4),
    ]
    assert told == ["worker 1/1: was ended after 2 s on one image; another one goes on"] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_that_only_die_are_given_up(work) -> None:
    told: list[str] = []
    with Processes(work.build, 1, on_lost=told.append) as executor:
        outcomes = list(executor.map(["exit"] * 9))
    assert len(outcomes) == GIVE_UP - 1
    assert told[GIVE_UP - 1 :] == ["worker 1/1: ended early (exit code 3)"]

    with Processes(work.build_never, 1, on_lost=told.append) as executor:
        assert list(executor.map([1, 2])) == []
    assert told[GIVE_UP:] == [
        "worker 1/1: ended early (exit code -9); another one goes on",
        "worker 1/1: ended early (exit code -9)",
    ]


def test_a_worker_that_cannot_begin_is_told_while_others_work(work) -> None:
    told: list[str] = []
    with Processes(work.build_first_only, 2, on_lost=told.append) as executor:
        assert [outcome.item for outcome in executor.map([1, 2, 3])] == [1, 3]
    assert told == ["worker 2/2: there is no model"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_worker_that_is_told_twice_to_end_says_what_it_was_writing(work, tmp_path: Path) -> None:
    item = tmp_path / "item"
    os.mkfifo(f"{item}.pipe")

    def tell() -> None:
        while not (begun := Path(f"{item}.begun")).exists():
            time.sleep(0.01)
        for _ in range(2):
            os.kill(int(begun.read_text()), signal.SIGTERM)
            time.sleep(0.2)  # so that they are two
        Path(f"{item}.pipe").write_text("written\n")

    told: list[str] = []
    with Processes(work.build_writes, 1, on_lost=told.append) as executor, ThreadPoolExecutor(1) as pool:
        pool.submit(tell)
        assert list(executor.map([str(item)])) == [Done(str(item), "written")]
    assert told == ["worker 1/1: ended early (exit code 0)"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_an_outcome_is_passed_on_while_other_workers_are_busy(work, tmp_path: Path) -> None:
    pipes = [tmp_path / "first", tmp_path / "second"]
    for pipe in pipes:
        os.mkfifo(pipe)
    with Processes(work.build_late, 2) as executor, ThreadPoolExecutor(2) as pool:
        outcomes = executor.map(pipes)
        pool.submit(pipes[1].write_text, "in time\n")  # which waits until the worker reads
        assert next(outcomes) == Done(pipes[1], "in time")
        pool.submit(pipes[0].write_text, "later\n")
        assert list(outcomes) == [Done(pipes[0], "later")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_workers_end_when_nobody_wants_the_rest(work, tmp_path: Path) -> None:
    pipes = [tmp_path / "one", tmp_path / "never"]
    for pipe in pipes:
        os.mkfifo(pipe)
    with Processes(work.build_late, 2) as executor, ThreadPoolExecutor(1) as pool:
        outcomes = executor.map(pipes)
        pool.submit(pipes[0].write_text, "now\n")
        assert next(outcomes) == Done(pipes[0], "now")
        outcomes.close()
        assert list(executor.map(pipes)) == []
