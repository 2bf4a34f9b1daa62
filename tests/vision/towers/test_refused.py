"""Text-aligned models that cannot be towers say why."""

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import CONFIG_MAPPING

from feedseg import FeedsegError
from feedseg.vision.model import open_model, tower_families
from feedseg.vision.towers.refused import REFUSED


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [("radio", "adaptor"), ("dinov3_vit", "dino.txt"), ("align", "convolutions"), ("timm_wrapper", "timm")],
)
def test_a_model_without_a_usable_last_attention_is_refused_with_the_reason(tmp_path, model_type, reason):
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(FeedsegError, match=f"is a '{model_type}' model, which cannot be a tower: .*{reason}") as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_refused_exists_in_transformers_and_is_no_tower():
    assert set(REFUSED) <= set(CONFIG_MAPPING)
    assert not set(REFUSED) & set(tower_families())


@pytest.mark.parametrize("name", ["convnext_base", "eva02_base_patch16_clip_224", "fastvit_mci2"])
def test_openclips_other_encoders_are_refused_by_name(tmp_path, name):
    save_file({"x": torch.zeros(1)}, tmp_path / "open_clip_model.safetensors")
    vision = {"image_size": 224, "timm_model_name": name, "timm_pool": ""}
    model = {"embed_dim": 512, "vision_cfg": vision | {"layers": 12}, "text_cfg": {"width": 512}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    with pytest.raises(FeedsegError, match=rf"timm_model_name.*\({name}: hosts replace") as caught:
        open_model(tmp_path)
    assert "\n" not in str(caught.value)
