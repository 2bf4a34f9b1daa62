from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feedseg.integrations.objects import found_objects
from feedseg.segmentation import Segmentation

ndimage: Any = scipy.ndimage
LABELS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


def result_of(labels: np.ndarray, background: bool) -> Segmentation:
    rng = np.random.default_rng(0)
    return Segmentation(
        labels=labels,
        names=("a", "b", "c", "d"),
        background=background,
        confidence=rng.random(labels.shape, np.float32),
        image=np.zeros((*labels.shape, 3), np.uint8),
    )


@given(LABELS, st.booleans(), st.booleans())
def test_objects_are_the_classes_or_their_connected_parts(
    labels: np.ndarray, background: bool, connected: bool
) -> None:
    result = result_of(labels, background)
    found = found_objects(result, connected)
    expected = []
    for label in range(int(background), 4):
        parts, count = ndimage.label(labels == label)
        masks = [parts == number for number in range(1, count + 1)] if connected else [labels == label]
        expected += [(label, mask) for mask in masks if mask.any()]
    assert [one.label for one in found] == [label for label, _ in expected]
    for label in range(4):
        ours = {one.whole(result.size).tobytes() for one in found if one.label == label}
        assert ours == {mask.tobytes() for one, mask in expected if one == label}
    for one in found:
        mask = one.whole(result.size)
        assert one.name == result.names[one.label]
        assert one.confidence == pytest.approx(result.confidence[mask].mean(), abs=1e-6)
        rows, columns = np.nonzero(mask)
        assert one.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
