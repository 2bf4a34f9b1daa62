"""Verdicts, and planned sample sizes against data whose effect is known."""

from __future__ import annotations

import numpy as np
import pytest

from feedseg.evaluation.metrics.bootstrap import ImageAreas, Interval, gain_interval
from feedseg.evaluation.metrics.verdicts import Verdict, judge, needed_images

UNION = 1_000_000  # with one class and this in every image, mIoU is the mean of the images' IoU


def simulated(seed: int, images: int, effect: float, spread: float) -> Interval:
    rng = np.random.default_rng(seed)
    before = np.full(images, UNION // 2)
    after = before + np.rint(UNION * rng.normal(effect, spread, images)).astype(np.int64)
    union = np.full((images, 1), UNION)
    return gain_interval(ImageAreas(after[:, None], union), ImageAreas(before[:, None], union))


def test_as_many_images_as_the_formula_for_a_known_effect() -> None:
    planned = [needed_images(simulated(seed, 400, 0.02, 0.1), 400) or 0 for seed in range(20)]
    assert np.median(planned) == pytest.approx(((1.959964 + 0.841621) * 0.1 / 0.02) ** 2, rel=0.35)  # 196


def test_so_many_images_show_the_effect_in_four_of_five_samples() -> None:
    shown = [simulated(1000 + seed, 196, 0.02, 0.1).low > 0 for seed in range(60)]
    assert 0.7 < np.mean(shown) < 0.9


@pytest.mark.parametrize(
    ("gain", "over", "images", "verdict"),
    [
        (Interval(0.02, 0.01, 0.03, 0.01), Interval(0.01, 0.001, 0.02, 0.01), 50, Verdict.GAIN),
        (Interval(0.02, 0.01, 0.03, 0.01), Interval(0.01, -0.01, 0.02, 0.01), 50, Verdict.SMOOTHING),
        (Interval(0.02, 0.01, 0.03, 0.01), None, 50, Verdict.UNCHECKED),
        (Interval(0.02, -0.01, 0.03, 0.01), Interval(0.01, 0.001, 0.02, 0.01), 50, Verdict.UNCLEAR),
        (Interval(-0.02, -0.03, -0.01, 0.01), None, 50, Verdict.LOSS),
        (Interval(0.02, 0.01, 0.03, 0.01), Interval(0.01, 0.001, 0.02, 0.01), 19, Verdict.FEW),
    ],
)
def test_a_gain_is_one_only_above_zero_and_above_the_control(
    gain: Interval, over: Interval | None, images: int, verdict: Verdict
) -> None:
    assert judge(gain, over, images).verdict is verdict


def test_no_number_of_images_shows_what_is_not_there() -> None:
    assert needed_images(Interval(-0.01, -0.02, 0.01, 0.01), 50) is None
    assert needed_images(Interval(0.01, np.nan, np.nan), 1) is None
