"""Patterns that tell classes apart where their colours do not, to a colour-blind person or to anyone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from feedseg.io.palette import TOO_CLOSE, Colour, distances

PATTERNS: tuple[str, ...] = ("plain", "diagonal", "dots", "falling", "level", "upright", "grid")
_STRENGTH = 0.62  # how much of a pattern's pixels is its ink


def choose_patterns(colours: np.ndarray) -> tuple[str, ...]:
    """A pattern for each of the classes of a picture, by their (n, 3) colours, the largest class first.

    As many as can be are plain; each of the others has the first pattern with which it is near none of those before it
    that have the same. Where every pattern is taken so, it has the one whose nearest colour is the farthest.
    """
    apart = distances(colours)
    chosen: list[str] = []
    for index in range(len(colours)):
        nearest: dict[str, float] = dict.fromkeys(PATTERNS, np.inf)
        for other, pattern in enumerate(chosen):
            nearest[pattern] = min(nearest[pattern], apart[index, other])
        clear = (pattern for pattern in PATTERNS if nearest[pattern] >= TOO_CLOSE)
        chosen.append(next(clear, max(PATTERNS, key=nearest.__getitem__)))
    return tuple(chosen)


def pattern_mask(pattern: str, height: int, width: int, period: int) -> np.ndarray:
    """Where a pattern has its ink, (height, width) bool; it repeats after so many pixels, four or more."""
    y, x = np.ogrid[:height, :width]
    line, half = max(1, round(0.3 * period)), period // 2
    across = (x + half * (y // period % 2)) % period - half  # for dots, in rows that are shifted by half a period
    inked = {
        "plain": np.zeros((1, 1), bool),
        "diagonal": (x + y) % period < line,
        "dots": across**2 + (y % period - half) ** 2 <= (0.3 * period) ** 2,
        "falling": (x - y) % period < line,
        "level": y % period < line,
        "upright": x % period < line,
        "grid": (x % period < line) | (y % period < line),
    }
    return np.broadcast_to(inked[pattern], (height, width))


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever stands out from a colour."""
    return (0, 0, 0) if np.dot(colour, (0.299, 0.587, 0.114)) > 110 else (255, 255, 255)


def draw_patterns(
    drawn: Image.Image, labels: np.ndarray, colours: np.ndarray, patterns: Sequence[str], period: int
) -> None:
    """Draw every class's pattern on its pixels; colours and patterns by the classes' labels."""
    dark = np.array([ink_on((int(r), int(g), int(b))) == (0, 0, 0) for r, g, b in colours])
    height, width = labels.shape
    for pattern in sorted(set(patterns) - {"plain"}):
        has = np.array([one == pattern for one in patterns])
        ink = pattern_mask(pattern, height, width, period)
        for colour, classes in (((0, 0, 0), has & dark), ((255, 255, 255), has & ~dark)):
            if classes.any():
                mask = (classes[labels] & ink) * np.uint8(255 * _STRENGTH)
                drawn.paste(colour, mask=Image.fromarray(mask))


def swatch(colour: Colour, pattern: str, size: int) -> Image.Image:
    """A square of a class's colour and pattern, (size, size) pixels."""
    drawn = Image.new("RGB", (size, size), colour)
    zeros = np.zeros((size, size), np.uint8)
    draw_patterns(drawn, zeros, np.array([colour], np.uint8), (pattern,), max(4, size // 2))
    return drawn
