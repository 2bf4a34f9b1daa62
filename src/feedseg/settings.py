"""How images are cut and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal, get_args

from feedseg.errors import InvalidValueError, brief, checked_number

Sides = tuple[int, int]  # height, width
Softmax = Literal["classes", "words"]  # what it runs over
# How much is left out: see `feedseg.loading.at_speed`.
SPEEDS = ("protocol", "fast", "fastest")
# Of every size: far beyond what any model was made for, and what a run takes at it can still be told.
MOST_PIXELS = 16384
LARGEST_FAST_WINDOW = 896  # attention grows with the square of a window's area


def _check_pixels(value: object, what: str) -> None:
    if not _is_pixels(value):
        raise InvalidValueError(f"{what} is a whole number of pixels from 1 to {MOST_PIXELS}, not {brief(value)}")


def _check_sides(value: object, what: str, none: str) -> None:
    sides = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    if value is not None and not all(map(_is_pixels, sides)):
        raise InvalidValueError(
            f"{what} is a whole number of pixels from 1 to {MOST_PIXELS}, (height, width), or {none}, "
            f"not {brief(value)}"
        )


def _is_pixels(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and 1 <= int(value) <= MOST_PIXELS


@dataclass(frozen=True)
class Settings:
    """Sizes in pixels. `window` and `stride` are one number for both sides or (height, width).

    Without a window the whole image goes through at once, each side rounded to whole patches. Without a stride
    windows do not overlap: as few of them as cover the image lie side by side, none larger than `window`.
    """

    short_side: int = 336  # the image is resized to it, keeping its shape
    max_long_side: int = 2048  # unless its long side would exceed this
    window: int | Sides | None = 336
    stride: int | Sides | None = 112
    logit_scale: float = 40.0  # cosines are multiplied by it before the softmax
    # A class has the logit of its best word, and its probability is among the classes. Published protocols take the
    # softmax over the words, where every synonym lowers all probabilities.
    softmax: Softmax = "classes"
    # Every window is looked at once more, mirrored and this much smaller, and both views' logits are averaged: see
    # `feedseg.vision.views`. None: once.
    second_view: float | None = None

    def __post_init__(self) -> None:
        _check_pixels(self.short_side, "the short side")
        _check_pixels(self.max_long_side, "the largest long side")
        if checked_number(self.logit_scale, "the logit scale") <= 0:
            raise InvalidValueError(f"the logit scale is a positive number, not {self.logit_scale:g}")
        if not isinstance(self.softmax, str) or self.softmax not in get_args(Softmax):
            raise InvalidValueError(f"the softmax runs over 'classes' or 'words', not {brief(self.softmax)}")
        if self.second_view is not None and not 0.1 <= checked_number(self.second_view, "the second view") <= 1:
            raise InvalidValueError(f"the second view has 0.1 to 1 of the sides, not {self.second_view:g}")
        _check_sides(self.window, "a window", "None for the whole image")
        _check_sides(self.stride, "a stride", "None for windows side by side")
        if self.window is not None:
            for window, stride in zip(self.window_sides, self.stride_sides or self.window_sides, strict=True):
                if stride > window:
                    raise InvalidValueError(f"a stride of {stride} leaves gaps between windows of {window} pixels")

    @property
    def window_sides(self) -> Sides:
        """Height and width of a window."""
        if self.window is None:
            raise InvalidValueError("the whole image is one window")
        return (self.window, self.window) if isinstance(self.window, int) else self.window

    @property
    def stride_sides(self) -> Sides | None:
        """Vertical and horizontal step of the windows; None where they lie side by side."""
        return (self.stride, self.stride) if isinstance(self.stride, int) else self.stride

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """The same with what somebody wants otherwise, by field.

        Raises:
            InvalidValueError: a value is none, or they do not go together.
        """
        new = replace(self, **changes)
        if new.window is None and "stride" in changes:
            raise InvalidValueError("--stride is the step between windows, and there are none here: give --window too")
        return new

    def fast(self) -> Settings:
        """The same, but every part of the image goes through once.

        Windows of up to twice the short side, at most 896 pixels, do not overlap, so most images are one window as
        they are, and a panorama is a few. Without windows nothing changes: the whole image goes through at once
        already.
        """
        if self.window is None:
            return self
        side = min(2 * self.short_side, LARGEST_FAST_WINDOW)
        return replace(self, window=side, stride=None)


# For towers that were aligned on whole images, not on CLIP's squares.
WHOLE_IMAGE = Settings(window=None)
