"""Photographs and label maps as small images for a page, each as a data URI."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from PIL import Image

SMALLEST = 240  # pixels of the long side; what is smaller is enlarged by a whole factor
QUALITY = 80  # of a photograph's JPEG
PAPER, INK = (255, 255, 255), (168, 172, 180)  # of the hatching
PERIOD, LINE = 8, 2  # of the hatching, pixels


def photograph(pixels: np.ndarray, shape: tuple[int, ...]) -> str:
    """A photograph, (height, width, 3) uint8, at the size of a label map of a (height, width), enlarged as that."""
    factor = _factor(shape)
    size = (shape[1] * factor, shape[0] * factor)
    return _uri(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3), "JPEG")


def class_map(labels: np.ndarray, colours: np.ndarray, ignored: np.ndarray) -> str:
    """Every class in its colour; what does not count is hatched.

    Args:
        labels: (height, width), classes.
        colours: of the classes, (classes, 3), uint8.
        ignored: (height, width) bool: pixels that do not count.
    """
    factor = _factor(labels.shape)
    values, places = np.unique(labels, return_inverse=True)
    shown = places.reshape(labels.shape).repeat(factor, 0).repeat(factor, 1)
    hatched = ignored.repeat(factor, 0).repeat(factor, 1)
    y, x = np.ogrid[: shown.shape[0], : shown.shape[1]]
    line = (x + y) % PERIOD < LINE
    shown[hatched & line], shown[hatched & ~line] = len(values), len(values) + 1
    palette = np.concatenate([colours[values], np.array([INK, PAPER], np.uint8)])
    if len(palette) > 256:  # no picture has so many classes, but a bad prediction may
        return _uri(Image.fromarray(palette[shown]), "PNG")
    image = Image.fromarray(shown.astype(np.uint8))
    image.putpalette(palette.tobytes())
    return _uri(image, "PNG")


def hexadecimal(colour: np.ndarray) -> str:
    """A colour as CSS has it."""
    return f"#{bytes(colour.tolist()).hex()}"


def _factor(shape: tuple[int, ...]) -> int:
    return max(1, -(-SMALLEST // max(shape)))


def _uri(image: Image.Image, kind: str) -> str:
    buffer = BytesIO()
    image.save(buffer, kind, optimize=True, **({"quality": QUALITY} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
