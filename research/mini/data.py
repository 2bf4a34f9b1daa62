"""Batches of images and captions, cut from a pool of scenes that is drawn once.

Drawing costs as much as training on an image does; cutting a new crop from a drawn scene, mirrored half of the time,
costs next to nothing and is nearly as good. Everything follows from the seeds.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from research.mini.model import SIDE

from feedseg.evaluation.scenes import (
    BACKGROUNDS,
    COLOURS,
    PATTERNS,
    SHAPES,
    TRAINED,
    Caption,
    Thing,
    caption,
    draw_scene,
)
from feedseg.vision.text.templates import default_templates

ZOOM = (0.8, 1.2)
THINGS = 4  # at most, in one scene
MENTIONS = THINGS
CHUNK = 500
CLEAR = {24: 0.1, 32: 0.1, 48: 0.06, 64: 0.03, 96: 0.015}  # side of a crop: what fraction of it a caption may mention
OPEN, UNUSED = -1, -2  # what a mention leaves open; a place for a mention that a caption does not use
VOCABULARIES = (COLOURS, PATTERNS, SHAPES)
TEMPLATES = default_templates()


@dataclass(frozen=True)
class Pool:
    """N scenes as arrays."""

    images: np.ndarray  # (N, 96, 96, 3), uint8
    labels: np.ndarray  # (N, 96, 96), uint8
    things: np.ndarray  # (N, THINGS, 3), int8: colour, pattern, shape; UNUSED where there is none
    backgrounds: np.ndarray  # (N,), int8


@dataclass(frozen=True)
class Batch:
    """B images, the captions of each, and which caption is true or false of which image."""

    images: np.ndarray  # (B, side, side, 3), uint8
    texts: list[str]
    true: np.ndarray  # (B captions, B images), bool
    false: np.ndarray  # the same; what is hardly visible is neither


def draw_pool(count: int, file: Path, workers: int) -> Pool:
    """Draw the pool's scenes, of combinations in training only, or take them from the file where they are kept."""
    if not file.exists():
        with ProcessPoolExecutor(workers) as executor:
            chunks = list(executor.map(_draw_chunk, range(count // CHUNK)))
        arrays = [np.concatenate(part) for part in zip(*chunks, strict=True)]
        temporary = file.with_suffix(".part.npz")
        np.savez(temporary, *arrays)
        temporary.replace(file)
    with np.load(file) as kept:
        return Pool(*(kept[name] for name in kept.files))


def _draw_chunk(index: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng((1, index))
    scenes = [draw_scene(rng, SIDE, (1, THINGS), TRAINED, rng.uniform(*ZOOM)) for _ in range(CHUNK)]
    things = np.full((CHUNK, THINGS, 3), UNUSED, np.int8)
    for row, scene in zip(things, scenes, strict=True):
        for place, thing in zip(row, scene.things, strict=False):
            place[:] = [words.index(word) for words, word in zip(VOCABULARIES, _words(thing), strict=True)]
    backgrounds = np.array([BACKGROUNDS.index(scene.background) for scene in scenes], np.int8)
    return (np.stack([s.image for s in scenes]), np.stack([s.labels for s in scenes]), things, backgrounds)


def _words(thing: Thing) -> tuple[str, str, str]:
    return thing.colour, thing.pattern, thing.shape


def make_batch(pool: Pool, step: int, size: int, side: int, seed: int) -> Batch:
    """The batch of a training step: square crops of the pool's scenes, `side` pixels wide, and a caption of each."""
    rng = np.random.default_rng((2, seed, step))
    chosen = rng.integers(len(pool.images), size=size)
    images = np.empty((size, side, side, 3), np.uint8)
    labels = np.empty((size, side, side), np.uint8)
    for row, index in enumerate(chosen):
        top, left = _place(pool.labels[index], side, rng)
        step_x = 1 if rng.random() < 0.5 else -1
        crop = (slice(top, top + side), slice(left, left + side))
        images[row] = pool.images[index][crop][:, ::step_x]
        labels[row] = pool.labels[index][crop][:, ::step_x]
    numbers = np.arange(THINGS + 1, dtype=np.uint8)[:, None, None]
    fractions = (labels[:, None] == numbers).mean(
        axis=(2, 3), dtype=np.float32
    )  # (B, 1 + THINGS), the background first
    clear, hinted = fractions > CLEAR[side], fractions > 0.004
    captions = []
    for index, seen in zip(chosen, clear, strict=True):
        visible = [_thing(pool.things[index, number]) for number in np.flatnonzero(seen[1:])]
        background = BACKGROUNDS[pool.backgrounds[index]] if seen[0] else None
        captions.append(caption(visible, background, rng, full=side == SIDE and rng.random() < 0.5))
    true = fitting(captions, pool.things[chosen], pool.backgrounds[chosen], clear)
    hint = fitting(captions, pool.things[chosen], pool.backgrounds[chosen], hinted)
    return Batch(images, [_wrapped(one, rng) for one in captions], true, ~hint)


def _place(labels: np.ndarray, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of a square crop: of six at random often the one that things fill most."""
    places = [(int(top), int(left)) for top, left in rng.integers(SIDE - side + 1, size=(6, 2))]
    if side == SIDE or rng.random() < 0.25:
        return places[0]
    return max(places, key=lambda at: np.count_nonzero(labels[at[0] : at[0] + side, at[1] : at[1] + side]))


def _thing(row: np.ndarray) -> Thing:
    return Thing(COLOURS[row[0]], PATTERNS[row[1]], SHAPES[row[2]], 1.0)


def _wrapped(one: Caption, rng: np.random.Generator) -> str:
    """The caption's text, often in one of the prompt templates that the product asks with."""
    if len(one.mentions) > 1 or rng.random() < 0.5:
        return one.text
    return TEMPLATES[rng.integers(len(TEMPLATES))].replace("{}", one.text)


def fitting(captions: list[Caption], things: np.ndarray, backgrounds: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Which captions are true of which scenes, (captions, scenes) bool; the same as `Caption.fits` for each pair.

    Args:
        captions: of at most MENTIONS things.
        things: (scenes, THINGS, 3), as in a pool.
        backgrounds: (scenes,).
        seen: which of them count, (scenes, 1 + THINGS), bool, the background first.
    """
    said = np.full((len(captions), MENTIONS, 3), UNUSED, np.int8)
    places = np.full(len(captions), OPEN, np.int8)
    for row, one in enumerate(captions):
        for place, mention in zip(said[row], one.mentions, strict=False):
            words = (mention.colour, mention.pattern, mention.shape)
            place[:] = [
                OPEN if word is None else known.index(word) for known, word in zip(VOCABULARIES, words, strict=True)
            ]
        if one.background is not None:
            places[row] = BACKGROUNDS.index(one.background)
    fits = (places[:, None] == OPEN) | ((places[:, None] == backgrounds) & seen[:, 0])
    for claim in said.transpose(1, 0, 2):  # (captions, 3)
        agreed = np.broadcast_to(seen[:, 1:], (len(captions), *things.shape[:2])).copy()
        for attribute in range(3):
            words = claim[:, attribute, None, None]
            agreed &= (words == OPEN) | (words == things[..., attribute])
        fits &= agreed.any(axis=-1) | (claim[:, :1] == UNUSED)
    return fits
