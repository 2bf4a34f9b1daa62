import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from feedseg import FeedsegError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that it does without OpenCV
    sv = pytest.importorskip("supervision")


@pytest.mark.parametrize("connected", [False, True])
def test_it_reads_the_same_from_us_and_from_transformers(connected: bool, desk) -> None:
    ours = desk.result.to_supervision(connected=connected)
    form = desk.result.to_transformers("instance" if connected else "panoptic")
    known = sv.Detections.from_transformers(form, id2label=dict(enumerate(desk.result.names)))
    np.testing.assert_array_equal(ours.mask, known.mask)
    np.testing.assert_array_equal(ours.class_id, known.class_id)
    np.testing.assert_array_equal(ours.data["class_name"], known.data["class_name"])
    np.testing.assert_allclose(ours.confidence, known.confidence, atol=1e-5)
    # Theirs ends with the last pixel, ours after it, as boxes of models do.
    np.testing.assert_array_equal(ours.xyxy[:, :2], known.xyxy[:, :2])
    np.testing.assert_array_equal(ours.xyxy[:, 2:], known.xyxy[:, 2:] + 1)


def test_its_tools_take_it(desk) -> None:
    found = desk.result.to_supervision(connected=True)
    large = found[found.area > 100]
    assert 0 < len(large) <= len(found)
    drawn = sv.MaskAnnotator().annotate(desk.result.image.copy(), large)
    changed = (drawn != desk.result.image).any(axis=-1)
    assert changed[large.mask.any(axis=0)].mean() > 0.9
    assert not changed[~large.mask.any(axis=0)].any()


def test_nothing_found_is_no_detection(desk) -> None:
    nothing = replace(desk.result, labels=np.zeros_like(desk.result.labels))
    found = nothing.to_supervision()
    assert len(found) == 0
    assert found.mask.shape == (0, *desk.result.labels.shape)


def test_without_the_package(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(FeedsegError, match=r"needs supervision: pip install 'feedseg\[supervision\]'"):
        desk.result.to_supervision()
