"""Outlines as signed distances: negative inside, in the same unit as the coordinates, which a shape of size 1 fills."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]  # u, v (h, w) to distances (h, w)


def _polygon(u: np.ndarray, v: np.ndarray, corners: int, inner: float) -> np.ndarray:
    """A regular polygon whose sides lie `inner` from the centre."""
    angles = 2 * np.pi * np.arange(corners) / corners + np.pi / 2
    distance = u * np.float32(np.cos(angles[0])) + v * np.float32(np.sin(angles[0]))
    for angle in angles[1:]:
        np.maximum(distance, u * np.float32(np.cos(angle)) + v * np.float32(np.sin(angle)), out=distance)
    return distance - np.float32(inner)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    across, along = np.abs(u), np.abs(v)
    longer, shorter = np.maximum(across, along), np.minimum(across, along)
    return np.maximum(longer - np.float32(0.98), shorter - np.float32(0.38))


def _star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Five points: in a folded sector, the distance to the straight line from a point to a notch."""
    radius, fifth = np.hypot(u, v), np.float32(2 * np.pi / 5)
    angle = np.arctan2(u, v) / fifth
    folded = np.abs(angle - np.rint(angle)) * fifth
    across, along = radius * np.sin(folded), radius * np.cos(folded)
    notch = 0.52 * np.array([np.sin(np.pi / 5), np.cos(np.pi / 5)])
    normal = np.array([1.05 - notch[1], notch[0]]) / np.hypot(1.05 - notch[1], notch[0])
    return across * np.float32(normal[0]) + (along - np.float32(1.05)) * np.float32(normal[1])


def _flower(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    radius = np.hypot(u, v)
    return (radius - (np.float32(0.78) + np.float32(0.2) * np.cos(6 * np.arctan2(v, u)))) * np.float32(0.8)


OUTLINES: dict[str, Distance] = {
    "circle": lambda u, v: np.hypot(u, v) - np.float32(0.95),
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) - np.float32(0.84),
    "triangle": lambda u, v: _polygon(u, v, 3, 0.58),
    "hexagon": lambda u, v: _polygon(u, v, 6, 0.88),
    "star": _star,
    "cross": _cross,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - np.float32(0.68)) - np.float32(0.32),
    "flower": _flower,
}
