"""Colours for classes that everyone can tell apart, colour-blind people too."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_BACKGROUND = (0x8C, 0x8C, 0x8C)
# Blue, orange, teal, burgundy, yellow, violet, lilac, sky, olive, magenta, found by annealing from hand-picked hues.
# The closest two of the first eight are 12.5 apart (Oklab distance x 100), of all ten 12.2, to the normal eye and in
# every simulation below; by the same measure the closest two of the Okabe-Ito palette are 7.6 apart.
_DESIGNED = np.array([*bytes.fromhex("2461F5FF7F0A3DBEAA8C1040FEDE3D58089FCD86FF8EDEFF637200C8329B")]).reshape(-1, 3)
# How linear RGB looks to the normal eye and without the long, middle or short cones (Machado, Oliveira and Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1).
_VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
# Linear sRGB to cones, roots of cones to Oklab (Björn Ottosson, "A perceptual color space for image processing", 2020).
_CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
_OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])


def palette(classes: int, background: bool) -> np.ndarray:
    """One colour per class, (classes, 3) uint8 RGB, chosen so that colour-blind people can tell them apart too.

    With `background` the first class is grey. The colours of fewer classes are the first of those of more.
    The first ten foreground colours are designed, some thousand more computed, all distinct; after those they repeat.
    """
    foreground = max(classes - background, 0)
    colours = np.resize(_foreground(min(foreground, 1024)), (foreground, 3))
    return np.concatenate([np.array([_BACKGROUND], np.uint8)[: int(background)], colours])[:classes]


@lru_cache
def _foreground(count: int) -> np.ndarray:
    """The first `count` foreground colours: after the designed ones each the farthest from all before it."""
    steps = np.arange(0, 256, 15)
    candidates = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    lightness, *hue = _seen(candidates)[:, 0]
    # Neither dark nor nearly white, which photographs are full of, nor as grey as the background.
    candidates = candidates[(lightness > 0.45) & (lightness < 0.92) & (np.hypot(*hue) > 0.09)]
    pool = np.concatenate([[_BACKGROUND], _DESIGNED, candidates])
    # Far is what is far to all four eyes, where the normal one, having most room, is asked for twice the distance: with
    # equal parts the other three would soon have used up what there is, and everyone would get similar colours.
    seen = _seen(pool) * np.array([0.5, 1, 1, 1], np.float32)[:, None]
    nearest = np.full(len(pool), np.inf, np.float32)
    chosen = []
    for turn in range(1 + count):
        chosen.append(turn if turn <= len(_DESIGNED) else int(nearest.argmax()))
        gaps = np.square(seen - seen[..., chosen[-1], None]).sum(axis=0)
        nearest = np.minimum(nearest, gaps.min(axis=0))
    return pool[chosen[1:]].astype(np.uint8)


def _seen(colours: np.ndarray) -> np.ndarray:
    """(n, 3) sRGB colours, 0 to 255, as the four types of colour vision see them in Oklab: (3, 4, n) float32."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    simulated = np.clip(linear @ _VISIONS.swapaxes(1, 2), 0, 1)
    oklab = np.moveaxis(np.cbrt(simulated @ _CONES.T) @ _OKLAB.T, -1, 0)
    return np.ascontiguousarray(oklab.round(4), np.float32)  # rounded: no machine's last digit shall choose a colour
