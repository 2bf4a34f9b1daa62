"""What the image shows as a whole, blended into its patches, as in CASS (Kim et al., CVPR 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from feedseg.decode.patches import Patches
from feedseg.decode.refiners.base import PatchRefiner
from feedseg.errors import FeedsegError, checked_number


@dataclass(frozen=True)
class ClassToken(PatchRefiner):
    """logits ← (1 − weight) · patch + weight · the image's class token, cosines all.

    The class token is the tower's own image embedding. An image that is cut into windows has the mean of theirs, since
    it does not go through the tower as a whole.
    """

    weight: float = 0.1

    needs_class_token: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= checked_number(self.weight, "the class token's weight") <= 1:
            raise FeedsegError(f"the class token's weight is from 0 to 1, not {self.weight}")

    def refine(self, patches: Patches) -> Tensor:
        assert patches.class_token is not None
        return patches.logits * (1 - self.weight) + self.weight * patches.class_token.mean(dim=0)[:, None, None]


REFINER = ClassToken()
