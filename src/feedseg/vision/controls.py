"""What a gain of feedback must beat: readings that are as smooth, but know nothing of the words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from feedseg.vision.feedback import LastAttention, scale_rows


@dataclass(frozen=True)
class HostTwice:
    """The host's attention applied twice, A A v / r; usable wherever a feedback is."""

    def reread(
        self, last: LastAttention, first: Tensor, uniform: Tensor, text: Tensor, read: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """See `Feedback.reread`."""
        if last.weights is None:
            return read(last.attended)
        inverse = 1 / last.row_sum
        return read(scale_rows(last.spread(last.attended), inverse))
