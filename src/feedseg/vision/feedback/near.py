"""The calibrated feedback for hosts whose attention is the identity: what is near belongs together.

The calibrated feedback takes from the host which patches belong together, √Ā. The identity says nothing of it, so there
a patch is averaged with all that seem alike, however far, and what is noise in a patch's evidence chooses its partners.
Here a Gaussian of the distance takes Ā's part: docs/calibrated.md has what that gains.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from feedseg.errors import InvalidValueError, checked_number
from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.feedback.calibrated import CalibratedFeedback
from feedseg.vision.ops import gaussian_of_distance


@dataclass(frozen=True)
class NearFeedback(CalibratedFeedback):
    """The calibrated feedback, but where the host is the identity √G is in √Ā's place, G_ij = exp(−‖i − j‖² / 2·std²).

    With every other host it is the calibrated feedback to the last bit.
    """

    std: float = 3.0  # in patches

    def __post_init__(self) -> None:
        super().__post_init__()
        if checked_number(self.std, "std") <= 0:
            raise InvalidValueError(f"the standard deviation is a number of patches above 0, not {self.std}")

    def related(self, host: HostAttention, attention: Tensor | None) -> Tensor | None:
        if attention is not None:
            return attention
        if host.grid is None:
            raise ValueError("with the identity this feedback needs the grid of the patches: give CalibratedFeedback")
        return gaussian_of_distance(host.grid, self.std, host.values.device)[None]


FEEDBACK = NearFeedback()
