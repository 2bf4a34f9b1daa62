"""Cutting an image into windows, and padding these to whole patches."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import pad

from feedseg.errors import FeedsegError
from feedseg.settings import Settings, Sides

MOST_WINDOWS = 100_000  # of an image; published protocols have some hundred at most


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.width)


def starts(length: int, window: int, stride: int | None) -> list[tuple[int, int]]:
    """Start and size of the windows along one side: steps of `stride`, the last one moved back inside the image.

    Without a stride as few as cover it, of one size, which overlap by no more than rounding up makes them.
    """
    if stride is None:
        count = -(-length // window)
        window = stride = -(-length // count)
    size = min(window, length)
    count = max(length - window + stride - 1, 0) // stride + 1
    return [(min(step * stride, length - size), size) for step in range(count)]


def place_windows(image: Sides, window: Sides, stride: Sides | None) -> list[Window]:
    """The windows that cover an image, row by row; an image smaller than the window gets a smaller one.

    Raises:
        FeedsegError: they are so many that it would never end.
    """
    vertical, horizontal = (None, None) if stride is None else stride
    tops, lefts = starts(image[0], window[0], vertical), starts(image[1], window[1], horizontal)
    if (count := len(tops) * len(lefts)) > MOST_WINDOWS:
        raise FeedsegError(
            f"an image of {image[1]} × {image[0]} pixels would be cut into {count:,} windows, more than "
            f"{MOST_WINDOWS:,}: take a larger --stride or --window, or a smaller --short-side"
        )
    return [Window(top, left, height, width) for top, height in tops for left, width in lefts]


def cut(size: Sides, settings: Settings) -> list[Window]:
    """The windows of an image of a working size; the whole of it where the settings have no window."""
    if settings.window is None:
        return [Window(0, 0, *size)]
    return place_windows(size, settings.window_sides, settings.stride_sides)


def padded_to_multiple(window: Tensor, multiple: int) -> tuple[Tensor, Window]:
    """Pad (…, height, width) with zeros to multiples of `multiple`, split evenly, the odd pixel right or at the bottom.

    Returns:
        the padded window, and where the original lies in it.
    """
    height, width = window.shape[-2:]
    extra_height, extra_width = -height % multiple, -width % multiple
    top, left = extra_height // 2, extra_width // 2
    padded = pad(window, (left, extra_width - left, top, extra_height - top))
    return padded, Window(top, left, height, width)


@dataclass(frozen=True)
class Placement:
    """Where a window's logits belong: resized to `sides` they cover the padded window, whose part `inside` is `window`.

    All in pixels of the image at its working size.
    """

    window: Window
    inside: Window
    sides: Sides
