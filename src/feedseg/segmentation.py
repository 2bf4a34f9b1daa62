"""What a segmentation found, and what a person or another program can ask of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from feedseg.errors import InvalidValueError, brief, checked_count
from feedseg.io import display
from feedseg.io import overlay as drawing
from feedseg.io.arrays import frozen
from feedseg.io.found import FoundClass, found_classes
from feedseg.io.writers.base import Writer
from feedseg.io.writers.json import as_dict
from feedseg.io.writers.save import SavedFiles, load_writers, save
from feedseg.labelmap import LabelMap

if TYPE_CHECKING:
    pass

__all__ = ["SavedFiles", "Segmentation"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Segmentation(LabelMap):
    """One class for every pixel of one image, how sure that is, and the image.

    Raises:
        InvalidValueError: the arrays do not fit each other or the names.
    """

    # (height, width) float32, the probability of each pixel's best class, 0 to 1
    confidence: np.ndarray = field(repr=False)
    # (height, width, 3) uint8 RGB, what was segmented
    image: np.ndarray = field(repr=False)
    # (classes, h, w) float32, the probability of every class at the resolution of the patches, where they were asked
    # for with `scores=True`
    scores: np.ndarray | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()  # what was done to the numbers of the image's file

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "confidence", frozen(self.confidence, np.float32))
        object.__setattr__(self, "image", frozen(self.image))
        if self.scores is not None:
            object.__setattr__(self, "scores", frozen(self.scores, np.float32))

    def _check(self) -> None:
        super()._check()
        labels = self.labels
        for what, array in (("confidence", self.confidence), ("image", self.image)):
            if not isinstance(array, np.ndarray):
                raise InvalidValueError(f"{what} must be an array, not {brief(array)}")
        if self.confidence.shape != labels.shape or not np.issubdtype(self.confidence.dtype, np.floating):
            raise InvalidValueError(
                f"confidence must be {labels.shape} floats like the labels, "
                f"not {self.confidence.shape} {self.confidence.dtype}"
            )
        if self.image.shape != (*labels.shape, 3) or self.image.dtype != np.uint8:
            raise InvalidValueError(
                f"image must be {(*labels.shape, 3)} uint8 like the labels, not {self.image.shape} {self.image.dtype}"
            )
        if self.scores is not None and (self.scores.ndim != 3 or len(self.scores) != len(self.names)):
            raise InvalidValueError(f"scores must be ({len(self.names)}, h, w), not {self.scores.shape}")

    @cached_property
    def mean_confidence(self) -> float:
        """The mean of `confidence` over the image."""
        return float(self.confidence.mean(dtype=np.float64))  # older numpy sums in fp32: 1e-5 off

    @cached_property
    def class_confidence(self) -> tuple[float | None, ...]:
        """The mean of `confidence` over the pixels of each class, None for those without pixels."""
        sums = np.zeros(len(self.names))
        for labels, confidence in zip(self.labels, self.confidence, strict=True):  # by rows, as bincount widens both
            sums += np.bincount(labels, confidence, len(self.names))
        return tuple(
            float(total / pixels) if pixels else None for total, pixels in zip(sums, self.pixels.values(), strict=True)
        )

    def overlay(self, *, legend: bool = True, longest: int = drawing.LARGEST) -> Image.Image:
        """The image under its classes' colours, with names and a legend: see `feedseg.io.overlay.overlay`."""
        checked_count(longest, "the longest side of an overlay")
        labels, names, background = self.labels, self.names, self.background
        return drawing.overlay(self.image, labels, names, background, self.palette, legend=legend, longest=longest)

    def __getitem__(self, name: str) -> FoundClass:
        """A class with its mask, area and confidence, whether it was found or not.

        Raises:
            FeedsegError: it is none of the classes that were asked for.
        """
        return FoundClass.of(self, name)

    def __iter__(self) -> Iterator[FoundClass]:
        """The classes that were found, the largest first; a background is none of them."""
        return iter(found_classes(self))

    def __contains__(self, name: object) -> bool:
        """Whether a class was found: `"dog" in result`."""
        return isinstance(name, str) and bool(self.pixels.get(name))

    def __len__(self) -> int:
        """How many classes were found."""
        return len(found_classes(self))

    def crop(self, name: str, margin: int = 0, *, transparent: bool = False) -> Image.Image:
        """The image cut to a class: see `feedseg.io.found.FoundClass.crop`."""
        return self[name].crop(margin, transparent=transparent)

    def show(self) -> None:
        """Show it in a notebook, or its overlay in the system's image viewer: see `feedseg.io.display.show`."""
        display.show(self)

    def _repr_html_(self) -> str:
        return display.as_html(self)

    def _repr_png_(self) -> bytes:
        return display.as_png(self)

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it: see `feedseg.io.writers.json`."""
        return as_dict(self)

    def to_transformers(self, form: str = "semantic") -> Any:
        """What transformers' own models give: see `feedseg.integrations.transformers.to_transformers`."""
        from feedseg.integrations.transformers import to_transformers

        return to_transformers(self, form)

    def to_supervision(self, *, connected: bool = False) -> Any:
        """Detections for supervision: see `feedseg.integrations.supervision.to_supervision`."""
        from feedseg.integrations.supervision import to_supervision

        return to_supervision(self, connected=connected)

    def to_fiftyone(self, form: str = "segmentation", *, connected: bool = False) -> Any:
        """A label for FiftyOne: see `feedseg.integrations.fiftyone.to_fiftyone`."""
        from feedseg.integrations.fiftyone import to_fiftyone

        return to_fiftyone(self, form, connected=connected)

    def save(
        self,
        folder: str | os.PathLike[str],
        stem: str | None = None,
        formats: str | Writer | Iterable[str | Writer] | None = None,
    ) -> SavedFiles:
        """Write `{stem}.labels.png`, `{stem}.overlay.jpg` and `{stem}.labels.json` into a folder, made if need be.

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
