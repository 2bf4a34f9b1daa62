"""A class for every pixel: what a segmentation is, and what is left of one in files."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.errors import FeedsegError, InvalidValueError, brief
from feedseg.io.arrays import frozen, refreeze
from feedseg.io.cleaning import Regions
from feedseg.io.palette import Colour, class_colours, recoloured
from feedseg.io.regions import class_areas

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelMap:
    """One class for every pixel of one image, and how it was made; not the image itself.

    The arrays are read-only and the object's own: what the caller does with its arrays later changes nothing here (see
    `feedseg.io.arrays.frozen`).

    Raises:
        InvalidValueError: the labels do not fit the names.
    """

    # (height, width) class indices; kept as uint8 for up to 256 classes, else as uint16
    labels: np.ndarray = field(repr=False)
    names: tuple[str, ...]  # of the classes; a class's index is its label
    source: str | None = None  # the file the image came from, if it came from one
    background: bool = False  # whether class 0 is what is none of the others
    threshold: float = 0.0  # the confidence below which a pixel became background
    synonyms: tuple[tuple[str, ...], ...] = ()  # every class's words; none if they are the names alone
    colours: tuple[Colour, ...] = ()  # of the classes, RGB, 0 to 255; none for those of `feedseg.io.palette`
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # role -> {"name": ..., "revision": ...}
    settings: Mapping[str, Any] = field(default_factory=dict)  # how it was made, as JSON has it
    # what was done with small regions and holes, and whether each region is an object of its own
    regions: Regions = field(default_factory=Regions)

    def __post_init__(self) -> None:
        self._check()
        smallest = np.uint8 if len(self.names) <= 256 else np.uint16
        owned = {
            "labels": frozen(self.labels, smallest),
            "names": tuple(self.names),
            "synonyms": tuple(map(tuple, self.synonyms)),
            "colours": tuple((int(r), int(g), int(b)) for r, g, b in self.colours),
            "models": deepcopy(dict(self.models)),
            "settings": deepcopy(dict(self.settings)),
        }
        for name, value in owned.items():
            object.__setattr__(self, name, value)

    def _check(self) -> None:
        labels, names = self.labels, self.names
        if not isinstance(labels, np.ndarray):
            raise InvalidValueError(f"labels must be an array, not {brief(labels)}")
        if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
            raise InvalidValueError(f"names must be a tuple of texts, not {brief(names)}")
        for what in ("synonyms", "colours"):
            rows = getattr(self, what)
            if not isinstance(rows, (tuple, list)) or not all(isinstance(row, (tuple, list)) for row in rows):
                raise InvalidValueError(f"{what} must be a tuple of tuples, not {brief(rows)}")
        if any(len(row) != 3 or not all(isinstance(part, (int, np.integer)) for part in row) for row in self.colours):
            raise InvalidValueError(f"colours must be three whole numbers each, not {brief(self.colours)}")
        for what in ("models", "settings"):
            if not isinstance(found := getattr(self, what), Mapping):
                raise InvalidValueError(f"{what} must be a mapping, not {brief(found)}")
        if labels.ndim != 2 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
            raise InvalidValueError(f"labels must be (height, width) integers, not {labels.shape} {labels.dtype}")
        if len(set(names)) != len(names) or not 0 < len(names) <= 1 << 16:
            raise InvalidValueError(
                f"names must be 1 to 65536, all different, not {len(names)}, {len(set(names))} of them different"
            )
        if labels.min() < 0 or labels.max() >= len(names):
            raise InvalidValueError(f"labels must be 0 to {len(names) - 1}, not {labels.min()} to {labels.max()}")
        for what, values in (("synonyms", self.synonyms), ("colours", self.colours)):
            if values and len(values) != len(names):
                raise InvalidValueError(f"{what} must be one tuple for each of {len(names)} classes, not {len(values)}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        refreeze(state)
        self.__dict__.update(state)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as Pillow has it."""
        height, width = self.labels.shape
        return width, height

    @cached_property
    def palette(self) -> np.ndarray:
        """One colour per class, (classes, 3) uint8 RGB, read-only."""
        return frozen(np.array(self.colours, np.uint8) if self.colours else class_colours(self.names, self.background))

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

    def with_regions(self, *, min_area: int | str = 0, fill_holes: bool = False, connected: bool = False) -> Self:
        """The same without small regions or holes, or with each connected region as an object of its own.

        Small regions go first, then holes are filled; `feedseg.io.cleaning.Regions` says what takes their place. The
        confidence of a pixel stays what it was, whatever its class is now.

        Args:
            min_area: the pixels of the smallest region that stays, or the percentage of the image, such as "0.5%".
            fill_holes: give holes the class around them.
            connected: formats that list objects have one for each region instead of one for each class.

        Raises:
            FeedsegError: the area is neither a number of pixels nor a percentage.
        """
        asked, before = Regions(min_area, fill_holes, connected), self.regions
        labels = asked.cleaned(self.labels, self.background)
        labels.flags.writeable = False
        both = Regions(
            asked.min_area or before.min_area,
            asked.fill_holes or before.fill_holes,
            asked.connected or before.connected,
        )
        return replace(self, labels=labels, regions=both)

    def with_colours(self, colours: Mapping[str, str | Colour]) -> Self:
        """The same with other colours for some classes: `result.with_colours({"dog": "#f00"})`.

        Args:
            colours: by class, as CSS writes them ("#f00", "skyblue", "rgb(255, 0, 0)") or three numbers of 0 to 255.

        Raises:
            FeedsegError: no such class, no such colour, or the same for two classes.
        """
        if not isinstance(colours, Mapping):
            raise FeedsegError(f"colours are a mapping of classes to colours, not {brief(colours)}")
        return replace(self, colours=recoloured(self.names, self.background, self.colours, colours))

    def index(self, name: str) -> int:
        """A class's label. Raises FeedsegError if there is no such class."""
        if not isinstance(name, str):
            raise FeedsegError(f"a class is asked for by its name, not by {brief(name)}")
        if name not in self.names:
            near = get_close_matches(name[:200], self.names)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.names[:10])}"
            raise FeedsegError(f"no class {brief(name)}: {hint}")
        return self.names.index(name)

    def mask(self, name: str) -> np.ndarray:
        """The pixels of one class, (height, width) bool. Raises FeedsegError if there is no such class."""
        return self.labels == self.index(name)
