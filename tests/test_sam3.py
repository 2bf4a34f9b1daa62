"""SAM 3 as a segmenter against transformers and the direct formula, on a tiny random checkpoint."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn.functional import interpolate
from torch.testing import assert_close

from feedseg import FeedsegError, Segmentation, Vocabulary
from feedseg.io.images import read_image, resized
from feedseg.sam3 import THRESHOLDS, Sam3Segmenter, combined
from tiny_models import TEXT, save_tokenizer, shake

PART: dict[str, Any] = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_layers": 1,
    "dropout": 0.0,
    "hidden_dropout": 0.0,
}
BACKBONE: dict[str, Any] = {
    "model_type": "sam3_vit_model",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 56,
    "patch_size": 14,
    "pretrain_image_size": 28,
    "window_size": 2,
    "global_attn_indexes": [1],
}


def save_sam3(folder: Path) -> Any:
    config = transformers.Sam3Config(
        vision_config={
            "backbone_config": BACKBONE,
            "fpn_hidden_size": 16,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config=TEXT | {"projection_dim": 24},
        geometry_encoder_config=PART,
        detr_encoder_config=PART,
        detr_decoder_config=PART | {"num_queries": 5},
        mask_decoder_config={"hidden_size": 16, "num_attention_heads": 2},
    )
    model = transformers.Sam3Model(config)
    shake(model)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def outputs(model, image: np.ndarray, word: int) -> Any:
    """transformers' whole forward for one word of the tiny tokenizer, padded with 2 as CLIP's does."""
    ids = torch.tensor([[1, word, 3, *[2] * (TEXT["max_position_embeddings"] - 3)]])
    pixels = (resized(read_image(image), (56, 56))[None] - 0.5) / 0.5
    with torch.inference_mode():
        return model(pixel_values=pixels, input_ids=ids, attention_mask=(ids != 2).long())


def by_hand(found, confidence: float) -> np.ndarray:
    """The rule instance by instance, in numpy."""

    def sigmoid(logits):
        return 1 / (1 + np.exp(-logits.double().numpy()))

    presence, best = sigmoid(found.presence_logits)[0, 0], sigmoid(found.semantic_seg)[0, 0]
    for logit, mask in zip(found.pred_logits[0], found.pred_masks[0], strict=True):
        if presence * sigmoid(logit) > confidence:
            best = np.maximum(best, sigmoid(mask) * sigmoid(logit))
    return presence * best


@pytest.mark.parametrize("confidence", [0.0, 0.3, 0.9])
def test_scores_are_the_rule_on_transformers_outputs(tmp_path, image, confidence):
    model = save_sam3(tmp_path)
    segmenter = Sam3Segmenter.load(tmp_path, confidence=confidence, device="cpu")
    known = segmenter.tokenizer.get_vocab()
    maps = segmenter.score_maps(read_image(image), ["cat", "dog"])
    for word, found in zip(("cat", "dog"), maps, strict=True):
        expected = by_hand(outputs(model, image, known[word]), confidence)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_transformers_logits_do_not_contain_the_presence(tmp_path, image):
    """What its own post-processing shows too: it multiplies them. Another presence changes no other output."""
    model = save_sam3(tmp_path)
    before = outputs(model, image, 12)
    with torch.no_grad():
        model.detr_decoder.presence_head.layer3.bias.add_(3.0)
    after = outputs(model, image, 12)
    assert not torch.allclose(before.presence_logits, after.presence_logits)
    for name in ("pred_logits", "pred_masks", "semantic_seg"):
        assert_close(getattr(before, name), getattr(after, name))


def test_a_clear_case_is_what_one_expects():
    """Presence ½; an instance of score ¾ on the left, one below the confidence on the right, a semantic map of ¼."""
    logit = torch.logit
    masks = torch.full((1, 2, 1, 2), -30.0)
    masks[0, 0, 0, 0] = masks[0, 1, 0, 1] = 30.0
    found = combined(
        logit(torch.tensor([[0.5]])),
        logit(torch.tensor([[0.75, 0.5]])),
        masks,
        logit(torch.full((1, 1, 1, 2), 0.25)),
        confidence=0.3,
    )
    assert_close(found, torch.tensor([[[0.375, 0.125]]]))


def test_it_is_called_as_a_segmenter_is(tmp_path, image):
    save_sam3(tmp_path)
    segmenter = Sam3Segmenter.load(tmp_path, device="cpu")
    words = Vocabulary.of("cat; kitten, dog")
    result = segmenter(image, words)
    assert isinstance(result, Segmentation)
    assert result.names == ("cat", "dog")
    maps = segmenter.score_maps(read_image(image), words.queries)
    wide = interpolate(maps[None], size=(40, 60), mode="bilinear", align_corners=False)[0].numpy()
    classes = np.stack([wide[:2].max(axis=0), wide[2]])
    np.testing.assert_allclose(result.confidence, classes.max(axis=0), atol=1e-5)
    clear = abs(classes[0] - classes[1]) > 1e-4
    assert clear.any()
    assert (result.labels == classes.argmax(axis=0))[clear].all()
    (again,) = segmenter([image], words)
    assert (again.labels == result.labels).all()


def test_below_the_threshold_is_background(tmp_path, image):
    save_sam3(tmp_path)
    result = Sam3Segmenter.load(tmp_path, device="cpu")(image, Vocabulary(["cat", "dog"], threshold=0.99))
    assert result.background
    assert (result.labels == 0).all()


def test_the_published_layout_of_the_video_model_opens(tmp_path, image):
    """facebook/sam3's files: the detector's configuration in a part, its weights behind a prefix, others beside it."""
    model = save_sam3(tmp_path)
    state = {f"detector_model.{name}": one for name, one in load_file(tmp_path / "model.safetensors").items()}
    save_file(state | {"tracker_model.x": torch.ones(2)}, tmp_path / "model.safetensors")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "sam3_video", "detector_config": config}))
    segmenter = Sam3Segmenter.load(tmp_path, device="cpu")
    number = segmenter.tokenizer.get_vocab()["cat"]
    (found,) = segmenter.score_maps(read_image(image), ["cat"])
    np.testing.assert_allclose(found.numpy(), by_hand(outputs(model, image, number), 0.3), atol=1e-5)


def test_thresholds_are_those_of_the_benchmarks(shared):
    known = json.loads((shared / "protocol/benchmarks.json").read_text())["benchmarks"]
    assert set(THRESHOLDS) == set(known)


@pytest.mark.parametrize(
    ("change", "confidence", "message"),
    [
        ({"model_type": "clip"}, 0.3, "is a 'clip' model, not a SAM 3"),
        ({"detr_decoder_config": 3}, 0.3, r"config\.json is not usable"),
        ({}, 1.5, "confidence is a probability"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, change, confidence, message):
    save_sam3(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(FeedsegError, match=message) as caught:
        Sam3Segmenter.load(tmp_path, confidence=confidence, device="cpu")
    assert "\n" not in str(caught.value)
