"""The benchmark "scenes": images that the project draws itself, the same ones every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedseg.evaluation.scenes import HELD_OUT, draw_scene
from feedseg.io.images import RgbImage
from feedseg.io.reading import HERE, FileReader

SEED = 11  # of the scenes on which the toy model's results are reported; nothing was trained or tuned on them
SIZE = 192  # pixels
THINGS = (2, 4)


@dataclass(frozen=True)
class SceneSample:
    """A drawn scene: what is asked for is the pattern of its things, and its background."""

    index: int
    classes: tuple[str, ...]  # the words of the labels

    @property
    def sizes(self) -> tuple[int, ...]:
        """There are no files."""
        return ()

    @property
    def name(self) -> str:
        """A name that sorts."""
        return f"scene-{self.index:05d}"

    def read(self, reader: FileReader = HERE) -> tuple[RgbImage, np.ndarray]:
        """Draw it, without a file to read: the image, and the classes (height, width), int32."""
        scene = draw_scene(np.random.default_rng((SEED, self.index)), SIZE, THINGS, HELD_OUT)
        words = (scene.background, *(thing.pattern for thing in scene.things))
        classes = np.array([self.classes.index(word) for word in words], np.int32)
        return RgbImage(scene.image, self.name), classes[scene.labels]
