"""A task in this process: order, failures, batches, and loading ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Event

import pytest

from feedseg.engine.local import Local, load_ahead
from feedseg.engine.outcomes import Done, Failed
from feedseg.engine.task import Task
from feedseg.errors import FeedsegError


def unreadable(name: str) -> str:
    if name == "2":
        raise FeedsegError("2 is no image")
    return name


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_failing_batch_is_tried_one_by_one(batches, threads: int) -> None:
    """Of nine items four go together; 2 cannot be loaded, 3 and 7 fail whenever they are processed."""
    task = batches({"3": RuntimeError("CUDA out of memory"), "7": IndexError("7")}, unreadable)
    outcomes = list(Local(task, threads).map([str(number) for number in range(9)]))
    assert [outcome.item for outcome in outcomes] == [str(number) for number in range(9)]
    reasons = {outcome.item: outcome.reason for outcome in outcomes if isinstance(outcome, Failed)}
    assert reasons == {
        "2": "2 is no image",
        "3": "out of memory: try a smaller --short-side, --batch-size 1 or --device cpu",
        "7": "unexpected IndexError: 7",
    }
    assert all(outcome.result == outcome.item for outcome in outcomes if isinstance(outcome, Done))
    assert task.batches[0] == ["0", "1", "3", "4"]  # together first


def test_one_that_fails_alone_is_not_tried_again(batches) -> None:
    task = batches({"1": ValueError("wrong")}, size=1)
    assert [type(outcome) for outcome in Local(task).map(["0", "1", "2"])] == [Done, Failed, Done]
    assert task.batches == [["0"], ["1"], ["2"]]


def test_items_are_taken_no_sooner_than_needed(batches) -> None:
    taken = []

    def watched() -> Iterator[str]:
        for number in range(4):
            taken.append(number)
            yield str(number)

    outcomes = Local(batches(size=1)).map(watched())
    assert next(outcomes) == Done("0", "0")
    assert taken == [0]
    assert [outcome.item for outcome in outcomes] == ["1", "2", "3"]


def test_what_cannot_be_finished_fails_without_another_try() -> None:
    class Saves(Task[str, str]):
        tried = 0

        def process(self, loaded: Iterable[str]) -> Iterator[str]:
            for item in loaded:
                self.tried += 1
                yield item

        def finish(self, item: str, processed: str) -> str:
            if item == "b":
                raise FeedsegError("the disk is full")
            return processed.upper()

    task = Saves()
    assert list(Local(task).map("abc")) == [Done("a", "A"), Failed("b", "the disk is full"), Done("c", "C")]
    assert task.tried == 3


def test_threads_finish_in_order_beside_the_processing() -> None:
    """The second item is processed while the first one is being finished."""
    second = Event()

    class Saves(Task[str, str]):
        def process(self, loaded: Iterable[str]) -> Iterator[str]:
            for item in loaded:
                if item == "b":
                    second.set()
                yield item

        def finish(self, item: str, processed: str) -> str:
            if item == "c":
                raise FeedsegError("the disk is full")
            return f"{item} {second.wait(20)}"

    outcomes = list(Local(Saves(), 2).map("abcd"))
    assert outcomes == [Done("a", "a True"), Done("b", "b True"), Failed("c", "the disk is full"), Done("d", "d True")]


def test_an_interrupt_hands_out_what_was_finished_before_it() -> None:
    class Interrupted(Task[str, str]):
        def process(self, loaded: Iterable[str]) -> Iterator[str]:
            for item in loaded:
                if item == "c":
                    raise KeyboardInterrupt
                yield item

        def finish(self, item: str, processed: str) -> str:
            return item.upper()

    for threads in (0, 3):
        outcomes = Local(Interrupted(), threads).map("abcd")
        assert [next(outcomes), next(outcomes)] == [Done("a", "A"), Done("b", "B")]
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)


def test_an_error_before_the_first_item_is_no_items_fault() -> None:
    class Broken(Task[str, str]):
        def process(self, loaded: Iterable[str]) -> Iterator[str]:
            raise FeedsegError("there is no model")

    with pytest.raises(FeedsegError, match="there is no model"):
        list(Local(Broken()).map("abc"))


def test_items_are_loaded_ahead_but_not_all_at_once_and_handed_out_in_order() -> None:
    loaded: list[int] = []
    far_enough = Event()

    def load(number: int) -> int:
        loaded.append(number)
        if len(loaded) > 5:
            far_enough.set()
        return -number

    stream = load_ahead(load, range(50), threads=2)
    first = [next(stream)[1]() for _ in range(3)]
    assert far_enough.wait(20)
    assert len(loaded) <= 3 + 2 * 2 + 1
    assert [*first, *(get() for _, get in stream)] == [-number for number in range(50)]


def test_nothing_more_is_loaded_once_nobody_wants_it() -> None:
    loaded: list[int] = []
    stream = load_ahead(loaded.append, range(50), threads=1)
    next(stream)
    stream.close()
    before = len(loaded)
    assert before < 6
    assert list(stream) == []
    assert len(loaded) == before


def test_what_is_being_loaded_is_given_up_once_nobody_wants_it() -> None:
    given_up = Event()
    ends: list[bool] = []
    stream = load_ahead(lambda number: ends.append(given_up.wait(60)) if number else None, range(3), 2, given_up.set)
    next(stream)
    stream.close()
    assert ends
    assert all(ends)  # none by its own time
