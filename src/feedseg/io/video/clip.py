"""What can be read frame by frame: a video, or images that are its frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

USUAL_RATE = Fraction(25)  # frames a second, where nothing says it


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video."""

    number: int  # from 0, in the order in which they are shown
    ticks: int  # when it is shown, in the video's `time_base`; more than the last frame's
    time: Fraction  # the same in seconds
    pixels: np.ndarray  # (height, width, 3) uint8 RGB, turned upright as the video says


class Clip(ABC):
    """Opened, to be read once from its beginning."""

    name: str  # what it is called in messages
    time_base: Fraction  # seconds of a tick
    rate: Fraction  # frames a second, on average
    aspect: Fraction | None = None  # width by height of a pixel, before it is turned
    damage: str | None = None  # once all frames were read: why those behind them could not be

    @property
    @abstractmethod
    def expected(self) -> int | None:
        """How many frames there are, as far as that can be said without reading them."""

    @abstractmethod
    def frames(self, every: int = 1, start: int = 0) -> Iterator[Frame]:
        """Every n-th frame, those before number `start` left out.

        A frame of another size than the first is brought to the first one's. Where there is damage the frames end, and
        `damage` says why.

        Raises:
            FeedsegError: not even the first frame can be read; one is too large.
        """
