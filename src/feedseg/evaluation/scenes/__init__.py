"""Scenes that the project draws itself: images whose exact segmentation is known, and captions of them."""

from feedseg.evaluation.scenes.drawing import SMALLEST_VISIBLE, UNITS, Scene, draw_scene
from feedseg.evaluation.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    COMBINATIONS,
    HELD_OUT,
    PATTERNS,
    SHAPES,
    SYNONYMS,
    TRAINED,
    Caption,
    Mention,
    Thing,
    caption,
    held_out,
)

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "COMBINATIONS",
    "HELD_OUT",
    "PATTERNS",
    "SHAPES",
    "SMALLEST_VISIBLE",
    "SYNONYMS",
    "TRAINED",
    "UNITS",
    "Caption",
    "Mention",
    "Scene",
    "Thing",
    "caption",
    "draw_scene",
    "held_out",
]
