"""Drawing a scene: a background, things upon it, light and grain; and the labels of its pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from feedseg.evaluation.scenes.shapes import OUTLINES
from feedseg.evaluation.scenes.textures import PATTERN_INK, SHADES, TEXTURES, coverage, grain_table
from feedseg.evaluation.scenes.vocabulary import BACKGROUNDS, COMBINATIONS, SHAPES, Caption, Combination, Thing, caption

UNITS = 96  # the short side of an image that is not zoomed in, in the unit of every length here
SMALLEST_VISIBLE = 0.015  # of the image: less of a thing is not mentioned
RADIUS = (11.0, 25.0)
PERIOD = (6.5, 8.5)  # of the patterns
SLANT = 0.25  # radians that they are turned at most


@dataclass(frozen=True, eq=False)
class Scene:
    """An image and its exact segmentation."""

    image: np.ndarray  # (height, width, 3), uint8
    labels: np.ndarray  # (height, width), uint8: 0 the background, k the thing things[k - 1]
    background: str
    things: tuple[Thing, ...]  # those drawn later lie in front

    @property
    def picture(self) -> np.ndarray:
        """What `image` was called up to version 0.2."""
        warnings.warn("Scene.picture is now Scene.image", DeprecationWarning, stacklevel=2)
        return self.image

    @property
    def visible_things(self) -> tuple[Thing, ...]:
        """The things of which enough is to be seen that they may be mentioned."""
        return tuple(thing for thing in self.things if thing.visible >= SMALLEST_VISIBLE)

    @property
    def names(self) -> tuple[str, ...]:
        """What the labels stand for: the background, and every thing's colour and pattern."""
        return (self.background, *(thing.name for thing in self.things))

    def caption(self, rng: np.random.Generator, full: bool = False) -> Caption:
        """A caption of what is visible; see `vocabulary.caption`."""
        return caption(self.visible_things, self.background, rng, full)


def draw_scene(
    seed: int | np.random.Generator,
    size: int | tuple[int, int] = UNITS,
    things: tuple[int, int] = (1, 4),
    combinations: Sequence[Combination] = COMBINATIONS,
    zoom: float = 1.0,
) -> Scene:
    """Draw a scene; the same seed and arguments give the same one, and another size nearly the same, finer or coarser.

    Args:
        seed: a number, or a generator to go on with.
        size: pixels, one number or (height, width).
        things: how many at least and at most.
        combinations: colours and patterns to draw from; `TRAINED` leaves out what is held out.
        zoom: the image shows a part of a larger scene: its short side is 96 / zoom units.
    """
    rng = np.random.default_rng(seed)
    height, width = (size, size) if isinstance(size, int) else size
    pixel = UNITS / zoom / min(height, width)
    x = ((np.arange(width, dtype=np.float32) + 0.5) * pixel)[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5) * pixel)[:, None]
    background = BACKGROUNDS[rng.integers(len(BACKGROUNDS))]
    offset = rng.uniform(0, 4000, 2).astype(np.float32)
    stretch = np.float32(rng.uniform(0.8, 1.25))
    colours = TEXTURES[background](x / stretch + offset[0], y / stretch + offset[1], pixel / stretch)
    colours *= rng.uniform(0.93, 1.07, 3).astype(np.float32)
    labels = np.zeros((height, width), np.uint8)
    drawn = []
    for label in range(1, rng.integers(things[0], things[1], endpoint=True) + 1):
        colour, pattern = combinations[int(rng.integers(len(combinations)))]
        thing = Thing(colour, pattern, SHAPES[rng.integers(len(SHAPES))], 0.0)
        _paint(thing, colours, labels, label, (x, y, pixel), rng)
        drawn.append(thing)
    _illuminate(colours, (x, y, pixel), rng)
    image = (np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)
    fractions = np.bincount(labels.ravel(), minlength=len(drawn) + 1)[1:] / labels.size
    seen = tuple(replace(thing, visible=float(fraction)) for thing, fraction in zip(drawn, fractions, strict=True))
    return Scene(image, labels, background, seen)


def _paint(
    thing: Thing,
    colours: np.ndarray,
    labels: np.ndarray,
    label: int,
    grid: tuple[np.ndarray, np.ndarray, float],
    rng: np.random.Generator,
) -> None:
    """Paint one thing at a random position into `colours` (h, w, 3) and `labels` (h, w), in place."""
    x, y, pixel = grid
    height, width = labels.shape
    radius = rng.uniform(*RADIUS)
    centre_x, centre_y = rng.uniform(0.12, 0.88, 2) * (width * pixel, height * pixel)
    turn, light = rng.uniform(0, 2 * np.pi, 2)
    slant = rng.uniform(-SLANT, SLANT)
    period = rng.uniform(*PERIOD)
    phase = rng.uniform(0, 16, 2).astype(np.float32)
    tint = rng.uniform(-0.04, 0.04, 3).astype(np.float32)
    reach = radius * 1.15 + 5
    columns = slice(max(int((centre_x - reach) / pixel), 0), int((centre_x + reach) / pixel) + 1)
    rows = slice(max(int((centre_y - reach) / pixel), 0), int((centre_y + reach) / pixel) + 1)
    across = (x[:, columns] - np.float32(centre_x)) / np.float32(radius)
    along = (y[rows] - np.float32(centre_y)) / np.float32(radius)
    distance = OUTLINES[thing.shape](*_turned(across, along, turn)) * np.float32(radius)
    u, v = _turned(across, along, slant)
    periods = np.float32(radius / period)
    ink = PATTERN_INK[thing.pattern](u * periods + phase[0], v * periods + phase[1], pixel / period)
    first, second = (np.array(shade, np.float32) / 255 for shade in SHADES[thing.colour])
    surface = first + tint + ink[..., None] * (second - first)
    # A soft edge that the light catches on one side, and a shadow on what lies around.
    slope = across * np.float32(np.cos(light)) + along * np.float32(np.sin(light))
    rim = np.clip(1 + distance / np.float32(0.3 * radius), 0, 1)
    surface *= (1 + slope * (np.float32(0.1) + np.float32(0.16) * rim))[..., None]
    under = colours[rows, columns]
    under *= (1 - np.float32(0.4) * np.clip(1 - distance / 4, 0, 1) ** 2)[..., None]
    inside = coverage(distance, pixel)
    under += inside[..., None] * (surface - under)
    labels[rows, columns][inside >= 0.5] = label


def _turned(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in axes turned by an angle."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _illuminate(colours: np.ndarray, grid: tuple[np.ndarray, np.ndarray, float], rng: np.random.Generator) -> None:
    """Light that falls from one side, and a camera's grain; in place."""
    x, y, pixel = grid
    height, width = colours.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    strength = rng.uniform(0.0, 0.36) / (max(height, width) * pixel)
    along_x, along_y = np.float32(np.cos(angle) * strength), np.float32(np.sin(angle) * strength)
    slope = (x - x.mean()) * along_x + (y - y.mean()) * along_y
    colours *= (slope + np.float32(rng.uniform(0.86, 1.1)))[..., None]
    grain = grain_table()
    start = rng.integers(len(grain))
    pieces = np.take(grain, np.arange(start, start + colours.size), mode="wrap")
    colours += pieces.reshape(colours.shape) * np.float32(rng.uniform(0.005, 0.022))
