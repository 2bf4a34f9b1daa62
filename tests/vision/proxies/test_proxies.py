"""Proxies against transformers' own forward passes, on tiny random checkpoints of every family."""

import pytest
import torch
from torch.nn.functional import interpolate

import tiny_models
from feedseg import FeedsegError
from feedseg.vision.encode import checked_features
from feedseg.vision.model import open_model
from feedseg.vision.proxies.base import IMAGENET_MEAN, IMAGENET_STD
from feedseg.vision.proxies.load import load_proxy


def windows(height: int, width: int) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height * width))


def imagenet(batch: torch.Tensor) -> torch.Tensor:
    return (batch - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[:, None, None]


def features(folder, batch):
    """Of a proxy that is given no tower: only "self" would look at it."""
    with torch.inference_mode():
        return load_proxy(folder)(batch, None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("sides", [(32, 32), (24, 56)])
@pytest.mark.parametrize(("family", "prefix"), [("dino", 1), ("dinov2", 1), ("dinov2-registers", 5), ("dinov3", 5)])
def test_dino_families_equal_transformers(tmp_path, family, prefix, sides):
    reference = tiny_models.save_proxy(tmp_path, family)
    batch = windows(*sides)
    options = {"interpolate_pos_encoding": True} if family == "dino" else {}
    expected = reference(imagenet(batch), **options).last_hidden_state[:, prefix:]
    grid = (sides[0] // 8, sides[1] // 8)
    computed = features(tmp_path, batch)
    assert computed.shape == (2, 32, *grid)
    torch.testing.assert_close(computed.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("sides", [(32, 32), (24, 56)])
def test_mae_masks_and_permutes_nothing(tmp_path, sides):
    """The encoder written out with transformers' submodules, without the masking, which would also shuffle."""
    reference = tiny_models.save_proxy(tmp_path, "mae")
    batch = windows(*sides)
    embeddings = reference.embeddings
    patches = embeddings.patch_embeddings(imagenet(batch))
    positions = embeddings.interpolate_pos_encoding(patches, *sides)
    class_token = (embeddings.cls_token + positions[:, :1]).expand(2, -1, -1)
    tokens = torch.cat((class_token, patches + positions[:, 1:]), dim=1)
    for layer in reference.layers if hasattr(reference, "layers") else reference.encoder.layer:
        tokens = layer(tokens)
    expected = reference.layernorm(tokens)[:, 1:]
    computed = features(tmp_path, batch)
    torch.testing.assert_close(computed.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(computed, features(tmp_path, batch))


@pytest.mark.parametrize("sides", [(64, 64), (40, 72)])
def test_sam_sees_its_own_square_and_gives_the_neck(tmp_path, sides):
    reference = tiny_models.save_proxy(tmp_path, "sam")
    batch = windows(*sides)
    square = interpolate(imagenet(batch), size=(64, 64), mode="bilinear", align_corners=False)
    computed = features(tmp_path, batch)
    assert computed.shape == (2, 12, 8, 8)
    torch.testing.assert_close(computed, reference(square).last_hidden_state, atol=1e-5, rtol=1e-4)


def test_sam_opens_from_the_whole_model_too(tmp_path):
    """The hub's repositories hold prompt encoder and mask decoder as well."""
    from transformers import SamConfig, SamModel

    vision = tiny_models.PROXIES["sam"][2]
    prompt = {"hidden_size": 12, "image_size": 64, "patch_size": 8, "mask_input_channels": 4}
    decoder = {"hidden_size": 12, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 8}
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    reference = SamModel(config)
    tiny_models.shake(reference)
    reference.save_pretrained(tmp_path)
    batch = windows(64, 64)
    expected = reference.vision_encoder(imagenet(batch)).last_hidden_state
    torch.testing.assert_close(features(tmp_path, batch), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", list(tiny_models.PROXIES))
def test_every_layer_attends_in_one_fused_step(tmp_path, family, monkeypatch):
    """No layer falls back to writing its attention out."""
    tiny_models.save_proxy(tmp_path, family)
    fused, calls = torch.nn.functional.scaled_dot_product_attention, []
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *given, **options: calls.append(None) or fused(*given, **options),
    )
    features(tmp_path, windows(32, 32))
    assert len(calls) == tiny_models.PROXIES[family][2]["num_hidden_layers"]


def test_the_checkpoints_normalisation_counts(tmp_path):
    reference = tiny_models.save_proxy(tmp_path, "dinov2")
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    batch = windows(32, 32)
    expected = reference((batch - 0.5) / 0.5).last_hidden_state[:, 1:]
    torch.testing.assert_close(features(tmp_path, batch).flatten(2).mT, expected, atol=1e-5, rtol=1e-4)


def test_a_function_is_a_proxy():
    proxy = load_proxy(lambda batch: batch[:, :2, ::4, ::4])
    assert proxy(windows(8, 12), None).shape == (2, 2, 2, 3)  # pyright: ignore[reportArgumentType]
    wrong = load_proxy(lambda batch: batch[:, 0])
    with pytest.raises(FeedsegError, match=r"the proxy .* returns \(2, 8, 12\): expected were features \(2, C, h, w\)"):
        checked_features(wrong(windows(8, 12), None), wrong, 2)  # pyright: ignore[reportArgumentType]


def test_self_is_the_towers_final_patch_tokens(tmp_path):
    reference = tiny_models.save_aligned(tmp_path)
    tower = open_model(tmp_path).tower
    batch = windows(32, 32)
    computed = load_proxy("self")(batch, tower.encode(imagenet(batch)))
    expected = reference(imagenet(batch)).last_hidden_state[:, 1:]
    torch.testing.assert_close(computed.flatten(2).mT, expected, atol=1e-5, rtol=1e-4)


def test_what_is_no_proxy_says_so(tmp_path):
    tiny_models.save_clip(tmp_path)
    with pytest.raises(FeedsegError, match="'clip' model, which is no known proxy"):
        load_proxy(tmp_path)
    with pytest.raises(FeedsegError, match="vit-b-16 is a text-aligned tower; as a proxy take one of dino-b8"):
        load_proxy("vit-b-16")


def test_other_things_are_no_proxies():
    with pytest.raises(FeedsegError, match="not int"):
        load_proxy(5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(FeedsegError, match="cannot be imported"):
        load_proxy("no_such_module:Proxy")
