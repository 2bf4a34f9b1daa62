"""How images are cut and scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

Sides = tuple[int, int]  # height, width
# How a image is cut: as the host's protocol has it, or by `Settings.fast`.
SPEEDS = ("protocol", "fast")
LARGEST_FAST_WINDOW = 896  # attention grows with the square of a window's area


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
    logit_scale: float = 40.0  # cosines are multiplied by it before the softmax over the queries

    def __post_init__(self) -> None:
        if self.short_side < 1 or self.max_long_side < 1:
            raise ValueError("the image's sides are at least one pixel")
        if not (self.logit_scale > 0 and isfinite(self.logit_scale)):
            raise ValueError(f"the logit scale is a positive number, not {self.logit_scale}")
        if self.window is not None:
            if min(self.window_sides) < 1:
                raise ValueError(f"a window has at least one pixel, not {self.window}")
            for window, stride in zip(self.window_sides, self.stride_sides or self.window_sides, strict=True):
                if not 1 <= stride <= window:
                    raise ValueError(
                        f"a stride of {stride} leaves gaps or goes nowhere with windows of {window} pixels"
                    )

    @property
    def window_sides(self) -> Sides:
        """Height and width of a window."""
        if self.window is None:
            raise ValueError("the whole image is one window")
        return (self.window, self.window) if isinstance(self.window, int) else self.window

    @property
    def stride_sides(self) -> Sides | None:
        """Vertical and horizontal step of the windows; None where they lie side by side."""
        return (self.stride, self.stride) if isinstance(self.stride, int) else self.stride

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
