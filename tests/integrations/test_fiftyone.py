import os
from dataclasses import replace

import numpy as np
import pytest

from feedseg import FeedsegError
from feedseg.integrations.fiftyone import mask_targets

os.environ |= {"FIFTYONE_DISABLE_SERVICES": "1", "FIFTYONE_DO_NOT_TRACK": "1"}  # no database: labels need none
fo = pytest.importorskip("fiftyone")


def test_a_segmentation_with_a_background(desk) -> None:
    label = desk.result.to_fiftyone()
    assert isinstance(label, fo.Segmentation)
    assert label.mask.dtype == np.uint8
    np.testing.assert_array_equal(label.mask, desk.result.labels)
    assert mask_targets(desk.result) == dict(enumerate(desk.result.names))


def test_without_a_background_its_zero_is_left_free(desk) -> None:
    result = replace(desk.result, background=False)
    mask = result.to_fiftyone().mask
    assert mask.min() > 0
    for number, name in mask_targets(result).items():
        np.testing.assert_array_equal(mask == number, result.mask(name))


def test_many_classes(desk) -> None:
    names = tuple(map(str, range(256)))
    labels = np.full_like(desk.result.labels, 255)
    assert (
        replace(desk.result, names=names, synonyms=(), labels=labels, background=False).to_fiftyone().mask.max() == 256
    )


@pytest.mark.parametrize("connected", [False, True])
def test_detections_are_the_classes_or_their_parts(connected: bool, desk) -> None:
    found = desk.result.to_fiftyone("detections", connected=connected).detections
    width, height = desk.result.size
    covered = np.zeros((height, width), int)
    for label in found:
        left, top, wide, high = (np.array(label.bounding_box) * (width, height, width, height)).round(6)
        assert label.mask.shape == (high, wide)
        covered[int(top) : int(top + high), int(left) : int(left + wide)] += label.mask * desk.result.index(label.label)
        assert 0 < label.confidence <= 1
    np.testing.assert_array_equal(covered, desk.result.labels)
    assert (len(found) > len(desk.result)) == connected
    if not connected:
        targets = {number: name for number, name in mask_targets(desk.result).items() if number}
        drawn = fo.Detections(detections=found).to_segmentation(frame_size=(width, height), mask_targets=targets)
        np.testing.assert_array_equal(drawn.mask, desk.result.labels)


def test_an_unknown_form(desk) -> None:
    with pytest.raises(FeedsegError, match="form is segmentation or detections"):
        desk.result.to_fiftyone("masks")
