"""What a refiner is: scores in, scores out; or logits of patches in, logits out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from feedseg.decode.patches import Patches
from feedseg.decode.scores import Scores
from feedseg.errors import FeedsegError
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

    def configured(self, text: str) -> Refiner:
        """The same with what somebody wrote behind its name and a colon, as in "region-vote:sam-b".

        Raises:
            FeedsegError: that is nothing for it.
        """
        raise FeedsegError(f"{type(self).__name__} takes nothing behind its name: leave out :{text[:60]}")


@dataclass(frozen=True)
class PatchRefiner(Refiner):
    """Changes the logits of an image's patches, of all windows at once, before they are stitched and become scores.

    Refiners of patches come before those of scores, wherever they stand among them.
    """

    needs_features: ClassVar[bool] = False  # whether it looks at `Patches.features`
    needs_class_token: ClassVar[bool] = False  # whether it looks at `Patches.class_token`
    # whether it looks at `Patches.self_attention`, for which the tower runs once more
    needs_self_attention: ClassVar[bool] = False

    @abstractmethod
    def refine(self, patches: Patches) -> Tensor:
        """The logits (W, C, h, w) of an image's patches, refined; called in torch's inference mode."""

    def __call__(self, scores: Scores, image: RgbImage) -> Scores:
        """The same scores: what it changes, it has changed before."""
        return scores
