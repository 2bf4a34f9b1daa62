"""The bundled models' networks against transformers' own, bit for bit, and what is left to transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import feedseg
import tiny_models
from feedseg.vision.networks.bert import BertNetwork
from feedseg.vision.networks.clip import ClipNetwork
from feedseg.vision.networks.dinov2 import Dinov2Network
from feedseg.vision.networks.load import load_network
from feedseg.weights.checkpoint import find_checkpoint
from feedseg.weights.modules import load_module

BUNDLED = Path(str(feedseg.__file__)).parent / "models"
PIXELS = torch.randn(2, 3, 48, 32, generator=torch.Generator().manual_seed(3))


def both(folder: Path, class_name: str, **options: Any) -> tuple[Any, Any]:
    """A checkpoint's network as it is loaded, and transformers' module."""
    checkpoint = find_checkpoint(folder)
    return load_network(checkpoint, class_name, **options), load_module(checkpoint, class_name, **options)


def assert_same_blocks(own: Any, module: Any, tokens: torch.Tensor) -> None:
    theirs = tokens
    for block, reference in zip(own, module, strict=True):
        tokens, theirs = block(tokens, None), reference(theirs, None)
        assert torch.equal(tokens, theirs)


def prompts(longest: int, vocabulary: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and which count of three prompts of different lengths, the last token of each is `end`."""
    ids = torch.randint(4, vocabulary, (3, longest), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    for row, length in enumerate((longest, longest - 3, 2)):
        ids[row, length - 1 :] = end
        mask[row, length:] = 0
    return ids, mask


def test_dinov2_is_transformers_to_the_last_bit(tmp_path: Path) -> None:
    tiny_models.save_proxy(tmp_path, "dinov2", layerscale_value=0.5)
    own, module = both(tmp_path, "Dinov2Model")
    assert type(own) is Dinov2Network
    for pixels in (PIXELS, PIXELS[..., :32, :32]):  # of other sizes, and of its own
        assert torch.equal(own.embeddings(pixels), module.embeddings(pixels))
    assert_same_blocks(own.encoder.layer, module.encoder.layer, own.embeddings(PIXELS))
    assert torch.equal(own.layernorm(PIXELS), module.layernorm(PIXELS))


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@pytest.mark.parametrize("end", [2, 3])
def test_clip_is_transformers_to_the_last_bit(tmp_path: Path, activation: str, end: int) -> None:
    tiny_models.save_clip(tmp_path, activation=activation)
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["eos_token_id"] = end  # 2 is read in a way of its own
    (tmp_path / "config.json").write_text(json.dumps(config))
    own, module = both(tmp_path, "CLIPModel")
    assert type(own) is ClipNetwork
    tokens = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    assert_same_blocks(own.vision_model.encoder.layers, module.vision_model.encoder.layers, tokens)
    ids, mask = prompts(9, len(tiny_models.WORDS), end)
    for rows in (slice(0, 1), slice(0, 3)):  # without padding, and with
        found = own.text_model(input_ids=ids[rows], attention_mask=mask[rows])
        expected = module.text_model(input_ids=ids[rows], attention_mask=mask[rows])
        assert torch.equal(found.last_hidden_state, expected.last_hidden_state)
        assert torch.equal(own.text_projection(found.pooler_output), module.text_projection(expected.pooler_output))


def test_bert_is_transformers_to_the_last_bit(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=32
    )
    tiny_models.shake(transformers.BertModel(config)).save_pretrained(tmp_path)  # type: ignore[attr-defined]
    own, module = both(tmp_path, "BertModel", add_pooling_layer=False)
    assert type(own) is BertNetwork
    ids, mask = prompts(9, 40, 3)
    for rows in (slice(0, 1), slice(0, 3)):
        found = own(input_ids=ids[rows], attention_mask=mask[rows]).last_hidden_state
        assert torch.equal(found, module(input_ids=ids[rows], attention_mask=mask[rows]).last_hidden_state)


@pytest.mark.parametrize(
    ("folder", "class_name", "kind"),
    [
        ("photo/tower", "Dinov2Model", Dinov2Network),
        ("photo/text", "BertModel", BertNetwork),
        ("mini", "CLIPModel", ClipNetwork),
    ],
)
def test_the_bundled_weights_are_all_where_transformers_puts_them(folder: str, class_name: str, kind: Any) -> None:
    options = {"add_pooling_layer": False} if class_name == "BertModel" else {}
    own, module = both(BUNDLED / folder, class_name, **options)
    assert type(own) is kind
    theirs = {name: tensor for name, tensor in module.state_dict().items() if name != "logit_scale"}
    assert own.state_dict().keys() == theirs.keys()
    for name, tensor in own.state_dict().items():
        assert tensor.dtype == torch.float32, name
        assert torch.equal(tensor, theirs[name]), name
    assert not any(parameter.requires_grad for parameter in own.parameters())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_swiglu_ffn", True),
        ("hidden_act", "relu"),
        ("qkv_bias", False),
        ("num_attention_heads", 3),
        ("num_hidden_layers", 10**9),
        ("patch_size", [8, 8]),
        ("a_setting_of_tomorrow", 1),
    ],
)
def test_a_configuration_that_it_does_not_cover_is_left_to_transformers(key: str, value: Any, tmp_path: Path) -> None:
    tiny_models.save_proxy(tmp_path, "dinov2")
    config = json.loads((tmp_path / "config.json").read_text())
    assert Dinov2Network.of(config) is not None
    assert Dinov2Network.of(config | {key: value}) is None


@pytest.mark.parametrize("change", ["without", "more", "shape"])
def test_weights_that_do_not_fit_are_left_to_transformers(change: str, tmp_path: Path) -> None:
    tiny_models.save_proxy(tmp_path, "dinov2")
    weights = load_file(tmp_path / "model.safetensors")
    if change == "without":
        del weights["layernorm.weight"]
    elif change == "more":
        weights["something.weight"] = torch.ones(3)
    else:
        weights["layernorm.weight"] = torch.ones(31)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    if change == "more":
        assert type(load_network(find_checkpoint(tmp_path), "Dinov2Model")).__name__ == "Dinov2Model"
    else:
        with pytest.raises(feedseg.FeedsegError, match=r"layernorm\.weight|do not fit Dinov2Model"):
            load_network(find_checkpoint(tmp_path), "Dinov2Model")


@pytest.mark.parametrize("model", ["photo", "mini"])
def test_the_bundled_models_import_neither_transformers_nor_torchs_compiler(model: str, tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np, feedseg\n"
        f"segmenter = feedseg.Segmenter.load({model!r}, device='cpu')\n"
        "segmenter(np.full((32, 32, 3), 128, np.uint8), ['striped', 'dotted'])\n"
        "print(*(name for name in ('transformers', 'torch._dynamo', 'sympy', 'scipy') if name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
