"""Results for supervision: annotators, filters and trackers take its `Detections`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.integrations import needed
from feedseg.integrations.objects import found_objects

if TYPE_CHECKING:
    from supervision import Detections  # pyright: ignore[reportMissingImports]

    from feedseg.segmentation import Segmentation


def to_supervision(result: Segmentation, *, connected: bool = False) -> Detections:
    """`sv.Detections` with boxes, masks, mean confidence, `class_id` (the index in `result.names`) and `class_name`.

    Args:
        result: a segmentation.
        connected: a detection for each connected region, instead of one for each class. A background is none.

    Raises:
        FeedsegError: supervision is not installed.
    """
    sv: Any = needed("supervision", "supervision")
    found = found_objects(result, connected)
    masks = np.zeros((len(found), *result.labels.shape), bool)
    for mask, one in zip(masks, found, strict=True):
        left, top, right, bottom = one.box
        mask[top:bottom, left:right] = one.mask
    return sv.Detections(
        xyxy=np.array([one.box for one in found], np.float32).reshape(-1, 4),
        mask=masks,
        confidence=np.array([one.confidence for one in found], np.float32),
        class_id=np.array([one.label for one in found], int),
        data={"class_name": np.array([one.name for one in found], np.str_)},
    )
