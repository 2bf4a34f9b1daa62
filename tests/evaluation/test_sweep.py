"""Which settings a sweep compares."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from feedseg.errors import FeedsegError
from feedseg.evaluation.sweep import Sweep
from feedseg.vision.feedback.fsa import FSAFeedback

USUAL = FSAFeedback()


def test_one_at_a_time_every_value_stands_alone_beside_the_usual_setting() -> None:
    found = Sweep({"lambda": (2.0, 3.0, 4.0), "terms": (("FA", "F"),), "passes": (2,)}).settings(USUAL)
    assert found == {
        "default": USUAL,
        "lambda 2": FSAFeedback(sharpness=2.0),
        "lambda 4": FSAFeedback(sharpness=4.0),
        "terms FA+F": FSAFeedback(terms=("FA", "F")),
        "passes 2": FSAFeedback(passes=2),
    }


def test_a_grid_has_all_with_all() -> None:
    found = Sweep({"scale": (7.0, 20.0), "isolation": (12.0, 35.0), "p": (0.3,)}, grid=True).settings(USUAL)
    assert len(found) == 5
    assert found["scale 7, isolation 12, p 0.3"] == FSAFeedback(7, 12, keep=0.3)
    assert len(set(found.values())) == 5


def test_no_value_is_lost_for_being_near_another() -> None:
    found = Sweep({"lambda": (2.0000001, 2.0000002, 2.5)}).settings(USUAL)
    assert list(found) == ["default", "lambda 2.0000001", "lambda 2.0000002", "lambda 2.5"]
    assert [one.sharpness for one in found.values()] == [3.0, 2.0000001, 2.0000002, 2.5]


def test_values_that_cannot_be_are_told() -> None:
    with pytest.raises(FeedsegError, match=r"^--p 2: keep is a"):
        Sweep({"p": (2.0,)}).settings(USUAL)


def test_constants_of_a_feedback_of_ones_own_are_varied_by_their_field() -> None:
    @dataclass(frozen=True)
    class Own:
        strength: float = 1.0
        kind: str = "a"

    found = Sweep({"strength": (2.0,), "kind": ("b",)}).settings(Own())
    assert found == {"default": Own(), "strength 2": Own(2.0), "kind b": Own(kind="b")}
    with pytest.raises(FeedsegError, match="Own has no constant 'lambda'; it has kind, strength"):
        Sweep({"lambda": (2.0,)}).settings(Own())
    with pytest.raises(FeedsegError, match="it has none at all"):
        Sweep({"lambda": (2.0,)}).settings(None)
