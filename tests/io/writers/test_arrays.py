"""What is saved as NumPy's arrays."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.writers.confidence import WRITER as CONFIDENCE
from feedseg.io.writers.scores import WRITER as SCORES
from feedseg.segmentation import Segmentation

Make = Callable[..., Segmentation]


def test_confidence_in_sixteen_bits(segmented: Make) -> None:
    result = segmented()
    loaded = np.load(BytesIO(CONFIDENCE.encode(result)))
    assert loaded["confidence"].dtype == np.float16
    np.testing.assert_allclose(loaded["confidence"], result.confidence, atol=0.0005)


def test_scores_with_their_names(segmented: Make) -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3)).transpose(2, 0, 1)
    loaded = np.load(BytesIO(SCORES.encode(segmented(scores=scores))))
    assert loaded["names"].tolist() == ["background", "cat", "grass", "Zebra"]
    assert loaded["size"].tolist() == [5, 3]
    assert loaded["scores"].shape == (4, 2, 3)
    np.testing.assert_allclose(loaded["scores"], scores, atol=0.0005)


def test_a_result_without_scores(segmented: Make) -> None:
    with pytest.raises(FeedsegError, match="segment with scores=True"):
        SCORES.encode(segmented())
