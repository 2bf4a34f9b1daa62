"""Flicker and mIoU of a drawn clip whose labels are known, for several averages between frames.

python benchmarks/flicker.py

A camera moves over a drawn scene, with a sensor's noise that is new in every frame. Flicker: of the pixels whose true
class is the same in two frames that follow each other, the fraction that changes its predicted class. Deterministic.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from feedseg import Segmenter, Vocabulary
from feedseg.decode.steady import Steady
from feedseg.evaluation.scenes.drawing import draw_scene

ALPHAS = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1)


def clip(
    seed: int, count: int, size: tuple[int, int] = (96, 128), noise: float = 25.0, speed: float = 0.5
) -> tuple[list[np.ndarray], list[np.ndarray], tuple[str, ...]]:
    """Frames (height, width, 3) uint8, their labels (height, width) and the classes' names."""
    height, width = size
    far = int(count * speed) + 1
    scene = draw_scene(seed, (height + far, width + far), things=(3, 4))
    rng = np.random.default_rng(seed)
    names = tuple(dict.fromkeys(scene.names))
    known = np.array([names.index(name) for name in scene.names], np.uint8)[scene.labels]
    frames, truth = [], []
    for number in range(count):
        at = int(number * speed)
        part = slice(at, at + height), slice(at, at + width)
        grain = rng.normal(0, noise, (height, width, 3))
        frames.append(np.clip(scene.image[part] + grain, 0, 255).astype(np.uint8))
        truth.append(known[part])
    return frames, truth, names


def flicker(labels: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """The fraction of the pixels that change their class while their true one stays."""
    changed = stayed = 0
    for (before, after), (was, is_now) in zip(pairwise(labels), pairwise(truth), strict=True):
        same = was == is_now
        changed += int(((before != after) & same).sum())
        stayed += int(same.sum())
    return changed / stayed


def mean_iou(labels: Sequence[np.ndarray], truth: Sequence[np.ndarray], classes: int) -> float:
    """The mean over the classes that occur of intersection over union, all frames together."""
    both = sum(
        np.bincount(t.ravel().astype(int) * classes + p.ravel(), minlength=classes**2)
        for p, t in zip(labels, truth, strict=True)
    )
    matrix = np.asarray(both).reshape(classes, classes)
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    return float((matrix.diagonal()[union > 0] / union[union > 0]).mean())


def predicted(
    segmenter: Segmenter, frames: Sequence[np.ndarray], words: Vocabulary, alpha: float
) -> Iterator[np.ndarray]:
    """The labels of every frame; with alpha 1 nothing is averaged."""
    refiners = [] if alpha == 1 else [Steady(alpha)]
    return (result.labels for result in segmenter.segment_many(frames, words, refiners=refiners))


def main() -> None:
    """Print a row for every alpha."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--noise", type=float, default=25.0, help="standard deviation, of 255")
    parser.add_argument("--speed", type=float, default=0.5, help="pixels a frame, in both directions")
    options = parser.parse_args()
    segmenter = Segmenter.load("mini")
    clips = [clip(seed, options.frames, noise=options.noise, speed=options.speed) for seed in range(options.clips)]
    print("alpha  flicker  mIoU")
    for alpha in ALPHAS:
        flickers, ious = [], []
        for frames, truth, names in clips:
            labels = list(predicted(segmenter, frames, Vocabulary(names), alpha))
            flickers.append(flicker(labels, truth))
            ious.append(mean_iou(labels, truth, len(names)))
        print(f"{alpha:5.1f}  {np.mean(flickers):7.2%}  {np.mean(ious):.1%}", flush=True)


if __name__ == "__main__":
    main()
