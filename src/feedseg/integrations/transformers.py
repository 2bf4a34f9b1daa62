"""Results in the forms that transformers' own segmentation models give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from feedseg.integrations import one_of
from feedseg.integrations.objects import FoundObject, found_objects

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

FORMS = ("semantic", "panoptic", "instance", "pipeline")


def to_transformers(result: Segmentation, form: str = "semantic") -> Any:
    """What an image processor's post-processing or a pipeline gives for one image.

    Classes are numbered as in `result.names`; a background is a class in "semantic" and "pipeline", and no segment in
    the others. Scores are means of the confidence.

    Args:
        result: a segmentation.
        form: "semantic", as `post_process_semantic_segmentation`: a (height, width) int64 tensor of classes.
            "panoptic", as `post_process_panoptic_segmentation`: a dictionary with `segmentation`, (height, width)
            int32, the segment of every pixel, 0 for none, and `segments_info`; a segment for each class, `was_fused`.
            "instance", as `post_process_instance_segmentation`: the same with a segment for each connected region,
            from 0, float32, -1 for none.
            "pipeline", as the pipeline `image-segmentation`: a list of dictionaries with `label`, `score` and `mask`,
            an image of 0 and 255, for each class that was found.

    Raises:
        FeedsegError: no such form.
    """
    one_of("form", form, FORMS)
    if form == "semantic":
        return torch.from_numpy(result.labels.astype(np.int64))
    if form == "pipeline":
        found = [result[name] for name, pixels in result.pixels.items() if pixels]
        return [
            {"score": one.confidence, "label": one.name, "mask": Image.fromarray(one.mask.astype(np.uint8) * 255)}
            for one in found
        ]
    if form == "panoptic":
        return _segments(result, found_objects(result), torch.zeros(result.labels.shape, dtype=torch.int32), 1)
    nothing = torch.full(result.labels.shape, -1.0)
    return _segments(result, found_objects(result, connected=True), nothing, 0)


def _segments(result: Segmentation, found: list[FoundObject], segmentation: torch.Tensor, first: int) -> dict[str, Any]:
    segments = []
    for number, one in enumerate(found, first):
        left, top, right, bottom = one.box
        segmentation[top:bottom, left:right][torch.from_numpy(one.mask)] = number
        score = round(one.confidence, 6)
        segments.append({"id": number, "label_id": one.label, "was_fused": bool(first), "score": score})
    return {"segmentation": segmentation, "segments_info": segments}
