"""Results for FiftyOne, which shows data sets and finds what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.integrations import needed, one_of
from feedseg.integrations.objects import found_objects

if TYPE_CHECKING:
    from feedseg.labelmap import LabelMap
    from feedseg.segmentation import Segmentation

FORMS = ("segmentation", "detections")


def to_fiftyone(result: Segmentation, form: str = "segmentation", *, connected: bool = False) -> Any:
    """A label for a field of a sample.

    Args:
        result: a segmentation.
        form: "segmentation", a `fo.Segmentation`, whose numbers `mask_targets` explains; or "detections", a
            `fo.Detections` with boxes, masks within them and the mean confidence, without a background.
        connected: a detection for each connected region, instead of one for each class.

    Raises:
        FeedsegError: no such form; FiftyOne is not installed.
    """
    one_of("form", form, FORMS)
    fo: Any = needed("fiftyone", "fiftyone")
    if form == "segmentation":
        shifted = result.labels.astype(np.uint16) + (not result.background)
        return fo.Segmentation(mask=shifted.astype(np.uint8 if shifted.max() < 256 else np.uint16))
    width, height = result.size
    detections = []
    for one in found_objects(result, connected):
        left, top, right, bottom = one.box
        box = [left / width, top / height, (right - left) / width, (bottom - top) / height]
        detections.append(fo.Detection(label=one.name, bounding_box=box, mask=one.mask, confidence=one.confidence))
    return fo.Detections(detections=detections)


def mask_targets(result: LabelMap) -> dict[int, str]:
    """The class of every number in a result's `fo.Segmentation`: `dataset.default_mask_targets = mask_targets(result)`.

    0 is FiftyOne's background, which it does not show: without one in the result, its first class is 1.
    """
    return dict(enumerate(result.names, int(not result.background)))
