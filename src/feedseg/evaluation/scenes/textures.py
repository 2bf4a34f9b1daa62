"""Patterns of things and textures of backgrounds, computed at any point, so that they look alike at any size.

Arrays are float32. Edges are softened over one pixel, which needs no supersampling.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

NOISE_SIDE = 512
NOISE_STEPS = 16  # entries of the table per unit


@lru_cache(maxsize=1)
def _noise_table() -> np.ndarray:
    """Smooth noise that repeats at its ends, (512, 512), evenly spread over [0, 1]."""
    spectrum = np.fft.rfft2(np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE)))
    rows, columns = np.fft.fftfreq(NOISE_SIDE)[:, None], np.fft.rfftfreq(NOISE_SIDE)[None]
    squared = (rows**2 + columns**2) * NOISE_STEPS**2
    smooth = np.fft.irfft2(spectrum * np.exp(-6 * squared), s=(NOISE_SIDE, NOISE_SIDE))
    ranks = smooth.ravel().argsort().argsort().reshape(smooth.shape)
    return (ranks / ranks.size).astype(np.float32)


@lru_cache(maxsize=1)
def grain_table() -> np.ndarray:
    """White noise of standard deviation 1, (2**20,), to take pieces of."""
    return np.random.default_rng(1).standard_normal(1 << 20, dtype=np.float32)


def noise(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Smooth noise in [0, 1] with details about one unit wide, at points (h, w) or a row and a column of them."""
    rows = (v * np.float32(NOISE_STEPS)).astype(np.int32) & (NOISE_SIDE - 1)
    columns = (u * np.float32(NOISE_STEPS)).astype(np.int32) & (NOISE_SIDE - 1)
    return _noise_table().ravel()[rows * NOISE_SIDE + columns]


def coverage(distance: np.ndarray, pixel: float) -> np.ndarray:
    """How much of a pixel lies inside an outline: from the signed distance of its centre and its width."""
    return np.clip(np.float32(0.5) - distance * np.float32(1 / pixel), 0, 1)


def wave(u: np.ndarray) -> np.ndarray:
    """The distance to the nearest whole number, 0 to ½."""
    return np.abs(u - np.rint(u))


def _dotted(u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    shifted = u + np.float32(0.5) * (np.rint(v).astype(np.int32) & 1)
    return coverage(np.hypot(wave(shifted), wave(v)) - np.float32(0.31), pixel)


def _checked(u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    across, along = wave(u * np.float32(0.75)) - np.float32(0.25), wave(v * np.float32(0.75)) - np.float32(0.25)
    nearest = np.minimum(np.abs(across), np.abs(along))
    return coverage(np.copysign(nearest, across * along), pixel * 0.75)


def _zigzag(u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    return coverage(wave(u + np.float32(1.2) * wave(v * np.float32(0.7))) - np.float32(0.25), pixel * 1.3)


def _scaly(u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    row = np.floor(v * 2)
    across = wave(u + np.float32(0.5) * (row.astype(np.int32) & 1))
    radius = np.hypot(across, v - row * np.float32(0.5))
    return np.where(radius > 0.5, np.float32(0), np.clip((radius - np.float32(0.12)) * np.float32(2.6), 0, 1))


def _marbled(u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    vein = np.abs(noise(u * np.float32(1.5), v * np.float32(1.5)) - np.float32(0.5))
    return np.clip(np.float32(1.5) - vein * np.float32(6.5), 0, 1)


def _netted(u: np.ndarray, v: np.ndarray, pixel: float) -> np.ndarray:
    return coverage(np.minimum(wave(u), wave(v)) - np.float32(0.11), pixel)


# How much of the second shade lies at points u, v (h, w), measured in periods, with pixels of a width in periods.
PATTERN_INK: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "plain": lambda u, v, pixel: np.zeros_like(u),
    "striped": lambda u, v, pixel: coverage(wave(u) - np.float32(0.25), pixel),
    "dotted": _dotted,
    "checked": _checked,
    "zigzag": _zigzag,
    "scaly": _scaly,
    "marbled": _marbled,
    "netted": _netted,
}

# First shade and second shade of every colour, RGB, 0 to 255.
SHADES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "red": ((205, 32, 38), (250, 190, 186)),
    "orange": ((242, 128, 20), (120, 52, 6)),
    "yellow": ((248, 214, 40), (134, 110, 8)),
    "green": ((34, 146, 62), (186, 238, 192)),
    "blue": ((36, 84, 208), (186, 210, 255)),
    "purple": ((118, 44, 158), (222, 186, 246)),
    "pink": ((250, 138, 188), (150, 34, 92)),
    "brown": ((112, 66, 36), (212, 172, 136)),
    "black": ((24, 24, 28), (112, 112, 118)),
    "white": ((244, 244, 242), (150, 152, 158)),
}


def lerp(first: tuple[int, int, int], second: tuple[int, int, int], fraction: np.ndarray) -> np.ndarray:
    """Colours (h, w, 3), 0 to 1, between two of 0 to 255."""
    start, end = (np.array(colour, np.float32) / 255 for colour in (first, second))
    return start + fraction[..., None] * (end - start)


# Backgrounds: colours (h, w, 3), 0 to 1, at x (w,) and y (h, 1) in units of 1/96 of the image, pixels `pixel` wide.


def _grass(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    lean = noise(x / 24, y / 24) * 4
    blades = noise((x + lean) / np.float32(1.6), y / 9) * np.float32(0.75) + noise(x / 14, y / 14) * np.float32(0.25)
    return lerp((44, 92, 22), (158, 190, 62), blades)


def _water(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    swell = wave(y / 9 + noise(x / 16, y / 16) * np.float32(1.4)) * 2
    return lerp((14, 96, 122), (142, 218, 220), swell**3 * np.float32(0.9))


def _sand(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    ripples = wave(x / 26 + y / 15 + noise(x / 30, y / 30)) * np.float32(0.9)
    return lerp((186, 150, 96), (238, 212, 158), ripples + noise(x / 2, y / 2) * np.float32(0.45))


def _bricks(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    row = np.floor(y / 7)
    across = x / 14 + np.float32(0.5) * (row.astype(np.int32) & 1)
    joint = np.minimum(wave(across) * 14, wave(y / 7) * 7)
    brick = noise(np.floor(across) * np.float32(3.7), row * np.float32(5.3)) * np.float32(0.7)
    colour = lerp((138, 58, 40), (190, 98, 68), brick + noise(x / 3, y / 3) * np.float32(0.3))
    mortar = coverage(joint - np.float32(0.7), pixel)[..., None]
    return colour + mortar * (np.array([0.8, 0.77, 0.72], np.float32) - colour)


def _snow(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    drifts = noise(x / 26, y / 13) * np.float32(0.8) + noise(x / 2, y / 2) * np.float32(0.2)
    return lerp((184, 204, 236), (252, 253, 255), drifts)


def _fog(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    return lerp((128, 136, 144), (202, 207, 210), noise(x / 40, y / 22) * np.float32(0.7) + noise(x / 90, y / 60) * 0.3)


def _wood(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    plank = np.floor(x / 19)
    grain = wave(x / 5 + noise(x / 7 + plank * np.float32(5.1), y / 44) * np.float32(2.6)) * 2
    fraction = grain * np.float32(0.75) + noise(plank * np.float32(3.3), y * 0) * np.float32(0.25)
    colour = lerp((132, 84, 44), (206, 154, 98), fraction)
    return colour * (1 - np.float32(0.6) * coverage(wave(x / 19) * 19 - np.float32(0.5), pixel)[..., None])


def _night(x: np.ndarray, y: np.ndarray, pixel: float) -> np.ndarray:
    colour = lerp((8, 10, 34), (44, 32, 88), noise(x / 34, y / 34))
    stars = np.clip((noise(x / np.float32(2.4), y / np.float32(2.4)) - np.float32(0.95)) * 30, 0, 1)
    return colour + stars[..., None] * (np.array([1, 0.97, 0.86], np.float32) - colour)


TEXTURES: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "grass": _grass,
    "water": _water,
    "sand": _sand,
    "bricks": _bricks,
    "snow": _snow,
    "fog": _fog,
    "wood": _wood,
    "night": _night,
}
