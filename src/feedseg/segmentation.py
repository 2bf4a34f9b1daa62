"""What a segmentation found, and what a person or another program can ask of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io import overlay as drawing
from feedseg.io.arrays import frozen, refreeze
from feedseg.io.regions import class_areas
from feedseg.io.writers.base import Writer
from feedseg.io.writers.json import as_dict
from feedseg.io.writers.save import SavedFiles, load_writers, save

__all__ = ["SavedFiles", "Segmentation"]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One class for every pixel of one image.

    The arrays are read-only and the result's own: what the caller does with its arrays later changes nothing here (see
    `feedseg.io.arrays.frozen`).

    Raises:
        ValueError: the arrays do not fit each other or the names.
    """

    # (height, width) class indices; kept as uint8 for up to 256 classes, else as uint16
    labels: np.ndarray = field(repr=False)
    # (height, width) float32, the probability of each pixel's best class, 0 to 1
    confidence: np.ndarray = field(repr=False)
    names: tuple[str, ...]  # of the classes; a class's index is its label
    # (height, width, 3) uint8 RGB, what was segmented
    image: np.ndarray = field(repr=False)
    source: str | None = None  # the file the image came from, if it came from one
    background: bool = False  # whether class 0 is what is none of the others
    threshold: float = 0.0  # the confidence below which a pixel became background
    synonyms: tuple[tuple[str, ...], ...] = ()  # every class's words; none if they are the names alone
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # role -> {"name": ..., "revision": ...}
    settings: Mapping[str, Any] = field(default_factory=dict)  # how it was made, as JSON has it

    def __post_init__(self) -> None:
        self._check()
        smallest = np.uint8 if len(self.names) <= 256 else np.uint16
        owned = {
            "labels": frozen(self.labels, smallest),
            "confidence": frozen(self.confidence, np.float32),
            "names": tuple(self.names),
            "image": frozen(self.image),
            "synonyms": tuple(map(tuple, self.synonyms)),
            "models": deepcopy(dict(self.models)),
            "settings": deepcopy(dict(self.settings)),
        }
        for name, value in owned.items():
            object.__setattr__(self, name, value)

    def _check(self) -> None:
        labels, names = self.labels, self.names
        if labels.ndim != 2 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be (height, width) integers, not {labels.shape} {labels.dtype}")
        if self.confidence.shape != labels.shape or not np.issubdtype(self.confidence.dtype, np.floating):
            raise ValueError(
                f"confidence must be {labels.shape} floats like the labels, "
                f"not {self.confidence.shape} {self.confidence.dtype}"
            )
        if self.image.shape != (*labels.shape, 3) or self.image.dtype != np.uint8:
            raise ValueError(
                f"image must be {(*labels.shape, 3)} uint8 like the labels, not {self.image.shape} {self.image.dtype}"
            )
        if len(set(names)) != len(names) or not 0 < len(names) <= 1 << 16:
            raise ValueError(
                f"names must be 1 to 65536, all different, not {len(names)}, {len(set(names))} of them different"
            )
        if labels.min() < 0 or labels.max() >= len(names):
            raise ValueError(f"labels must be 0 to {len(names) - 1}, not {labels.min()} to {labels.max()}")
        if self.synonyms and len(self.synonyms) != len(names):
            raise ValueError(f"synonyms must be one tuple for each of {len(names)} classes, not {len(self.synonyms)}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        refreeze(state)
        self.__dict__.update(state)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as Pillow has it."""
        height, width = self.labels.shape
        return width, height

    @cached_property
    def _areas(self) -> tuple[int, ...]:
        return tuple(class_areas(self.labels, len(self.names)).tolist())

    @property
    def pixels(self) -> dict[str, int]:
        """How many pixels every class has, in the order of the classes, those with none included."""
        return dict(zip(self.names, self._areas, strict=True))

    @property
    def area_fractions(self) -> dict[str, float]:
        """Which fraction of the image every class has, 0 to 1, in the order of the classes."""
        return {name: pixels / self.labels.size for name, pixels in self.pixels.items()}

    @cached_property
    def mean_confidence(self) -> float:
        """The mean of `confidence` over the image."""
        return float(self.confidence.mean())

    def mask(self, name: str) -> np.ndarray:
        """The pixels of one class, (height, width) bool. Raises FeedsegError if there is no such class."""
        if name not in self.names:
            near = get_close_matches(name, self.names)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.names[:10])}"
            raise FeedsegError(f"no class {name!r}: {hint}")
        return self.labels == self.names.index(name)

    def overlay(self) -> Image.Image:
        """The image under its classes' colours, with names and a legend: see `feedseg.io.overlay.overlay`."""
        return drawing.overlay(self.image, self.labels, self.names, self.background)

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it: see `feedseg.io.writers.json`."""
        return as_dict(self)

    def save(
        self,
        folder: str | os.PathLike[str],
        stem: str | None = None,
        formats: str | Writer | Iterable[str | Writer] | None = None,
    ) -> SavedFiles:
        """Write `{stem}.labels.png`, `{stem}.overlay.png` and `{stem}.labels.json` into a folder, made if need be.

        Without a stem it is that of the source, or "picture"; where the folder has results of another image under it,
        or of one without a source, "-2" and so on is appended, so that no image's results are lost. Results of the same
        source are replaced, and so are those under a stem that is given, each file by a whole one, the JSON last: where
        it is new, the others are. If one cannot be written, none is replaced.

        Args:
            folder: where to.
            stem: how the files' names begin.
            formats: what to write instead of the three: names of `feedseg.io.writers.WRITERS`, a `Writer` of your own,
                "package.module:Name", or several of them.

        Raises:
            FeedsegError: a file cannot be written or would replace the source; there is no such format.
        """
        return save(self, folder, stem, load_writers(formats))

    @property
    def shares(self) -> dict[str, float]:
        """What `area_fractions` was called up to version 0.2."""
        warnings.warn("Segmentation.shares is now Segmentation.area_fractions", DeprecationWarning, stacklevel=2)
        return self.area_fractions

    @property
    def picture(self) -> np.ndarray:
        """What `image` was called up to version 0.2."""
        warnings.warn("Segmentation.picture is now Segmentation.image", DeprecationWarning, stacklevel=2)
        return self.image
