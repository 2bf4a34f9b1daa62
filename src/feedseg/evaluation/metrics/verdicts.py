"""What may be said of a gain: whether it is one, and how many images would tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

from feedseg.evaluation.metrics.bootstrap import FEW, LEVEL, Interval

POWER = 0.8  # how often as many images as were planned show an effect that is there


class Verdict(Enum):
    """What a gain is called; the value says why."""

    GAIN = "a gain: its interval is above zero, and above the control's gain"
    SMOOTHING = "above zero, but not above the control's: it may be smoothing alone"
    UNCHECKED = "above zero, but no control was measured: it may be smoothing alone"
    UNCLEAR = "no gain shown: its interval holds zero"
    LOSS = "a loss: its interval is below zero"
    FEW = "too few images to tell"


@dataclass(frozen=True)
class Judgement:
    """A verdict, and how many images would be needed to call a gain of this size one."""

    verdict: Verdict
    needed: int | None = None  # None where it is called a gain or a loss, or where there is nothing to show
    outdone: bool = False  # whether there is a gain, and the control has no smaller one

    @property
    def text(self) -> str:
        """In words."""
        if self.outdone:
            return f"{self.verdict.value}; the control gains no less"
        if self.needed is None:
            return self.verdict.value
        return f"{self.verdict.value}; such an effect needs about {_rounded(self.needed):,} images"


def judge(gain: Interval, over_control: Interval | None, images: int) -> Judgement:
    """What may be said of a gain.

    It is called one only if its interval is above zero, and so is that of what it has more than the control.

    Args:
        gain: mIoU less that without feedback.
        over_control: mIoU less that of the control; None where it was not measured.
        images: how many were measured.
    """
    verdict = _verdict(gain, over_control, images)
    if verdict in (Verdict.GAIN, Verdict.LOSS, Verdict.UNCHECKED):
        return Judgement(verdict)
    if gain.value > 0 and over_control is not None and over_control.value <= 0:
        return Judgement(verdict, outdone=True)
    counts = [needed_images(one, images) for one in (gain, over_control) if one is not None]
    known = [count for count in counts if count is not None]
    return Judgement(verdict, max(FEW, *known) if known and len(known) == len(counts) else None)


def _verdict(gain: Interval, over_control: Interval | None, images: int) -> Verdict:
    if images < FEW:
        return Verdict.FEW
    if gain.high < 0:
        return Verdict.LOSS
    if not gain.low > 0:
        return Verdict.UNCLEAR
    if over_control is None:
        return Verdict.UNCHECKED
    return Verdict.GAIN if over_control.low > 0 else Verdict.SMOOTHING


def needed_images(effect: Interval, images: int) -> int | None:
    """How many images would show an effect of this size; None if it is not positive or has no spread.

    With s the standard deviation of the effect over bootstrap draws of n images, one image has the standard deviation
    √n · s · √(n / (n − 1)), where the last factor undoes what the bootstrap of few images is too narrow by. The effect
    d lies above zero at the level 1 − α (here 95 %, two sides) with a probability of 1 − β (the power, here 80 %) for

        m = n · n / (n − 1) · ((z_{1 − α/2} + z_{1 − β}) · s / d)²

    images: the sample size of a paired comparison (Cohen, "Statistical Power Analysis", 1988, chapter 2), as far as
    other images are like these and the effect is as large as it was seen, which few images tell only roughly.
    """
    if not (effect.value > 0 and effect.spread > 0 and images > 1):  # also where one of them is NaN
        return None
    normal = NormalDist()
    quantiles = normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)
    return math.ceil(images * images / (images - 1) * (quantiles * effect.spread / effect.value) ** 2)


def _rounded(count: int) -> int:
    """Two digits, rounded up: more would claim to be known."""
    step = 10 ** max(0, len(str(count)) - 2)
    return -(-count // step) * step
