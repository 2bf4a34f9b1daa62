"""Against what transformers itself makes of the outputs of a model: kinds, types and keys."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from transformers.models.maskformer.image_processing_pil_maskformer import MaskFormerImageProcessorPil as Processor
from transformers.pipelines.image_segmentation import ImageSegmentationPipeline

from feedseg import FeedsegError

ndimage: Any = scipy.ndimage


@pytest.fixture(scope="module")
def outputs() -> Any:
    """What a model of three queries and four classes could give for one image of 8 by 8."""
    torch.manual_seed(0)
    return SimpleNamespace(
        class_queries_logits=torch.randn(1, 3, 5) * 9, masks_queries_logits=torch.randn(1, 3, 8, 8) * 9
    )


def theirs(form: str, outputs: Any) -> Any:
    method: Any = getattr(Processor, f"post_process_{form}_segmentation")
    loose = {} if form == "semantic" else {"threshold": 0.1}
    loose |= {"label_ids_to_fuse": {0, 1, 2, 3}, "overlap_mask_area_threshold": 0.0} if form == "panoptic" else {}
    return method(SimpleNamespace(), outputs, target_sizes=[(8, 8)], **loose)[0]


def test_semantic(desk, outputs) -> None:
    ours, known = desk.result.to_transformers(), theirs("semantic", outputs)
    assert (type(ours), ours.dtype, ours.ndim) == (type(known), known.dtype, known.ndim)
    np.testing.assert_array_equal(ours.numpy(), desk.result.labels)


@pytest.mark.parametrize("form", ["panoptic", "instance"])
def test_segments(form: str, desk, outputs) -> None:
    ours, known = desk.result.to_transformers(form), theirs(form, outputs)
    assert ours.keys() == known.keys()
    assert ours["segmentation"].dtype == known["segmentation"].dtype
    first, model = ours["segments_info"][0], known["segments_info"][0]
    assert {key: type(value) for key, value in first.items()} == {key: type(value) for key, value in model.items()}
    assert (first["id"], first["was_fused"]) == (model["id"], model["was_fused"])
    labels = desk.result.labels
    for segment in ours["segments_info"]:
        mask = (ours["segmentation"] == segment["id"]).numpy()
        assert set(labels[mask]) == {segment["label_id"]}
        assert segment["score"] == pytest.approx(desk.result.confidence[mask].mean(), abs=1e-5)
    nothing = 0 if form == "panoptic" else -1
    np.testing.assert_array_equal((ours["segmentation"] == nothing).numpy(), labels == 0)
    parts = sum(ndimage.label(labels == label)[1] for label in range(1, 5))
    assert len(ours["segments_info"]) == (len(desk.result) if form == "panoptic" else parts)


def test_the_pipelines_own_last_step_gives_the_same(desk) -> None:
    """The panoptic form through the pipeline's post-processing is the form of the pipeline, but for the background."""
    panoptic = desk.result.to_transformers("panoptic")
    processor = SimpleNamespace(post_process_panoptic_segmentation=lambda *_, **__: [panoptic])
    config = SimpleNamespace(id2label=dict(enumerate(desk.result.names)))
    pipeline: Any = SimpleNamespace(image_processor=processor, model=SimpleNamespace(config=config))
    known = ImageSegmentationPipeline.postprocess(pipeline, {"target_size": [(90, 120)]})
    ours = [one for one in desk.result.to_transformers("pipeline") if one["label"] != "background"]
    assert [one["label"] for one in ours] == [one["label"] for one in known]
    for one, other in zip(ours, known, strict=True):
        assert one.keys() == other.keys()
        assert one["score"] == pytest.approx(other["score"], abs=1e-6)
        assert one["mask"].mode == other["mask"].mode
        np.testing.assert_array_equal(np.asarray(one["mask"]), np.asarray(other["mask"]))


def test_an_unknown_form(desk) -> None:
    with pytest.raises(FeedsegError, match="form is semantic, panoptic, instance or pipeline, not 'masks'"):
        desk.result.to_transformers("masks")
