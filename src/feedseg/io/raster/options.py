"""What is asked for of rasters alone: bands, brightness, scale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

from feedseg.errors import FeedsegError, brief

LEAST_SCALE, MOST_SCALE = 1 / 64, 16.0
_BAND = re.compile(r"[1-9]\d{0,4}")
_LIMIT = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(%?)", re.IGNORECASE)


@dataclass(frozen=True)
class Stretch:
    """Which values become black and white; in percent where they are ranks among a band's values."""

    low: float
    high: float
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Stretch:
        """From "0,3000" or "2%,98%". Raises FeedsegError where it is neither."""
        found = [_LIMIT.fullmatch(part.strip()) for part in text.split(",")]
        if len(found) == 2 and found[0] and found[1] and found[0][2] == found[1][2]:
            one = cls(float(found[0][1]), float(found[1][1]), bool(found[0][2]))
            within = not one.percent or (one.low >= 0 and one.high <= 100)
            if one.low < one.high and within and isfinite(one.high - one.low):
                return one
        raise FeedsegError(
            f"--stretch says which values are black and white, such as 0,3000 or 2%,98%, not {brief(text)}"
        )

    def __str__(self) -> str:
        unit = "%" if self.percent else ""
        return f"{self.low:g}{unit},{self.high:g}{unit}"


USUAL_STRETCH = Stretch(2, 98, percent=True)  # of what is no 8-bit image, as programs for maps show it


@dataclass(frozen=True)
class RasterOptions:
    """How rasters are read.

    Raises:
        FeedsegError: the scale is none.
    """

    bands: tuple[int, ...] = ()  # for red, green and blue, or one for grey, from 1; none for what the file says
    stretch: Stretch | None = None  # None for 8 bits as they are, and `USUAL_STRETCH` of all else
    scale: float = 1.0  # the raster is resized by it before it is segmented
    fast: bool = False  # windows side by side also where a model takes whole images, see `Settings.fast`
    refused: tuple[str, ...] = ()  # options that were given, and that rasters do not have

    def __post_init__(self) -> None:
        if not LEAST_SCALE <= self.scale <= MOST_SCALE:
            raise FeedsegError(f"--scale is from {LEAST_SCALE:g} to {MOST_SCALE:g}, not {self.scale:g}")

    def describe(self) -> dict[str, Any]:
        """As JSON, without what is as usual."""
        said: dict[str, Any] = {"bands": list(self.bands)} if self.bands else {}
        said |= {} if self.stretch is None else {"stretch": str(self.stretch)}
        said |= {} if self.scale == 1 else {"scale": self.scale}
        return said | ({"fast": True} if self.fast else {})


def parse_bands(text: str) -> tuple[int, ...]:
    """Bands from "4,3,2" or "1". Raises FeedsegError where it is neither three bands nor one."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) in (1, 3) and all(map(_BAND.fullmatch, parts)):
        return tuple(map(int, parts))
    raise FeedsegError(f"--bands are three for red, green and blue, such as 4,3,2, or one for grey, not {brief(text)}")
