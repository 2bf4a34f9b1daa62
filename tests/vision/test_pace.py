"""How long things take is told once, and only where that is long."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from feedseg import Segmenter, Settings
from feedseg.vision import encode, pace
from feedseg.vision.pace import Pace, duration


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("each", "total", "expected"),
    [
        (3.2, 1000, ["1,000 images take about 53 minutes, 3.2 s each: take fewer"]),
        (0.5, 1000, []),
        (30.0, 100_000, ["100,000 images take about 35 days, 30 s each: take fewer"]),
    ],
)
def test_it_is_told_once_from_what_was_measured(each: float, total: int, expected: list[str]) -> None:
    told: list[str] = []
    clock = Clock()
    one = Pace("images", "take fewer", tell=told.append, clock=clock)
    one.done(0, total)
    for done in range(1, 50):
        clock.now += each
        one.done(done, total)
    assert told == expected


def test_nothing_is_told_before_it_is_sure() -> None:
    told: list[str] = []
    clock = Clock()
    one = Pace("images", sure=10, tell=told.append, clock=clock)
    for done, now in ((1, 9.9), (20, 10.0)):  # the first one alone was slow
        clock.now = now
        one.done(done, 1000)
    assert told == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 seconds"), (119, "119 seconds"), (120, "2 minutes"), (9e3, "2 hours"), (2e5, "2 days")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_windows_of_an_image_that_takes_long_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONG", 0.0)
    monkeypatch.setattr(encode, "Pace", partial(Pace, sure=0.0))
    segmenter = Segmenter.load("mini")
    image = np.zeros((64, 128, 3), np.uint8)
    with pytest.warns(UserWarning, match=r"^2 windows take about \d+ seconds, .* s each: take a larger --stride"):
        segmenter(image, "striped, dotted", settings=Settings(short_side=64, window=64, stride=64))
