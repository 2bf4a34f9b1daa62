"""What a refiner is: scores in, scores out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from feedseg.decode.scores import Scores
from feedseg.io.images import RgbImage


@dataclass(frozen=True)
class Refiner(ABC):
    """Changes an image's scores. Its constants, if any, are the fields of a frozen dataclass.

    One that works pixel by pixel wraps the scores and changes rows when they are asked for, so that memory stays flat;
    one that needs the whole image asks for all rows first.
    """

    @abstractmethod
    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        """The scores (K, height, width) of an image, refined; called in torch's inference mode."""
