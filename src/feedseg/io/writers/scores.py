"""The probabilities of all classes at the resolution of the patches, as compressed NumPy."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation


class ScoresWriter(Writer):
    """`numpy.load(file)`: "scores" (classes, h, w) float16, "names" (classes,), "size" of the image: width and height.

    Sixteen bits are exact to 0.0005.
    """

    name = "scores"
    suffix = ".scores.npz"
    description = "the probability of every class for every patch: NumPy, 16-bit floats"
    needs = frozenset({"scores"})

    def encode(self, result: Segmentation) -> bytes:
        """See `Writer.encode`. Raises FeedsegError where the result has no scores."""
        if result.scores is None:
            raise FeedsegError("the result has no scores to save: segment with scores=True")
        buffer = BytesIO()
        names, size = np.array(result.names), np.array(result.size)
        np.savez_compressed(buffer, scores=result.scores.astype(np.float16), names=names, size=size)
        return buffer.getvalue()


WRITER = ScoresWriter()
