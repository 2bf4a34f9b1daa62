"""The kinds of feedback by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from feedseg.vision.feedback.base import FeedbackAttention, Rereading
from feedseg.vision.feedback.calibrated import CalibratedFeedback
from feedseg.vision.proxies.base import Proxy
from feedseg.vision.towers.base import Tower
from feedseg.weights.catalog import SHARPNESS_BY_PROXY, SHARPNESS_BY_WIDTH


def named_feedback(name: str, tower: Tower, proxy: Proxy | None = None) -> Rereading | None:
    """One of FEEDBACKS; the paper's with the sharpness that it gives for this tower and proxy."""
    if name == "none":
        return None
    if name == "calibrated":
        return CalibratedFeedback()
    usual = FeedbackAttention().sharpness
    by_width = SHARPNESS_BY_WIDTH.get(tower.width, usual)
    return FeedbackAttention(sharpness=SHARPNESS_BY_PROXY.get(proxy.kind if proxy else "", by_width))


def described_feedback(feedback: Rereading | None) -> dict[str, Any] | None:
    """What a feedback is, as JSON has it."""
    return None if feedback is None else {"kind": type(feedback).__name__, **asdict(feedback)}  # type: ignore[call-overload]
