"""Feedback: what the predictions for the patches change in the attention that they were made with, one file each."""

from typing import TYPE_CHECKING

from feedseg.registry import Registry

if TYPE_CHECKING:
    from feedseg.vision.feedback.base import Feedback

FEEDBACKS: "Registry[Feedback]" = Registry(
    "feedseg.vision.feedback", "FEEDBACK", "Feedback", renamed=(("fsa", "paper"),)
)
NO_FEEDBACK = "none"
AUTO = "auto"  # the paper's for towers like CLIP, whose cosines it was made for, and calibrated for others
