"""The catalog's numbers against the architectures that transformers builds for these names."""

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

from feedseg import FeedsegError
from feedseg.weights.catalog import CARDS, DEFAULT_MODEL, DEFAULT_PROXY, names, repository_of


def clip(width, layers, patch, image, text_width, text_layers, size):
    config = transformers.CLIPConfig(
        vision_config={
            "hidden_size": width,
            "num_hidden_layers": layers,
            "intermediate_size": 4 * width,
            "num_attention_heads": width // 64,
            "patch_size": patch,
            "image_size": image,
        },
        text_config={
            "hidden_size": text_width,
            "num_hidden_layers": text_layers,
            "intermediate_size": 4 * text_width,
            "num_attention_heads": text_width // 64,
        },
        projection_dim=size,
    )
    return transformers.CLIPModel(config)


def base(config, model, **options):
    return lambda: getattr(transformers, model)(getattr(transformers, config)(**options))


BUILT = {
    "vit-b-32": lambda: clip(768, 12, 32, 224, 512, 12, 512),
    "vit-b-16": lambda: clip(768, 12, 16, 224, 512, 12, 512),
    "vit-l-14": lambda: clip(1024, 24, 14, 224, 768, 12, 768),
    "vit-l-14-336": lambda: clip(1024, 24, 14, 336, 768, 12, 768),
    "vit-h-14": lambda: clip(1280, 32, 14, 224, 1024, 24, 1024),
    "siglip-b-16": base("SiglipConfig", "SiglipModel"),
    "siglip2-b-16": base("SiglipConfig", "SiglipModel", text_config={"vocab_size": 256000}),
    "siglip2-b-naflex": base("Siglip2Config", "Siglip2Model", text_config={"vocab_size": 256000}),
    "dino-b8": base("ViTConfig", "ViTModel", patch_size=8),
    "dino-b16": base("ViTConfig", "ViTModel"),
    "dino-s8": base(
        "ViTConfig", "ViTModel", patch_size=8, hidden_size=384, intermediate_size=1536, num_attention_heads=6
    ),
    "dinov2-b14": base("Dinov2Config", "Dinov2Model", patch_size=14, image_size=518),
    "dinov2-b14-reg": base("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel", patch_size=14, image_size=518),
    "mae-b16": base("ViTMAEConfig", "ViTMAEForPreTraining"),
    "sam-b": base("SamConfig", "SamModel"),
}


@pytest.mark.parametrize("name", BUILT)
def test_parameters_are_the_architectures(name):
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in BUILT[name]().parameters())
    assert CARDS[name].parameters == pytest.approx(count / 1e6, rel=0.01)


def test_names_of_the_same_architecture_have_the_same_size():
    for one, other in {
        "vit-b-16": ("vit-b-16-laion", "metaclip-b-16"),
        "vit-l-14": ("vit-l-14-laion", "metaclip-l-14"),
        "vit-h-14": ("metaclip-h-14",),
    }.items():
        assert {CARDS[name].parameters for name in other} == {CARDS[one].parameters}


def test_defaults_are_in_it_and_names_fit_a_column():
    assert DEFAULT_MODEL in names("tower")
    assert DEFAULT_PROXY in names("proxy")
    assert max(map(len, CARDS)) <= 16
    assert all(card.repository.count("/") == 1 for card in CARDS.values() if not card.is_bundled)


def test_the_bundled_model_is_in_the_package_and_small():
    folder = Path(repository_of("mini", "tower"))
    weights = load_file(folder / "model.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) / 1e6 == pytest.approx(CARDS["mini"].parameters, rel=0.01)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 10e6


def test_a_slip_of_the_pen_is_answered_with_the_names():
    with pytest.raises(FeedsegError, match=r"there is no 'vit-b16'; did you mean vit-b-16"):
        repository_of("vit-b16", "tower")
    with pytest.raises(FeedsegError, match=r"did you mean dino-s8 or dino-b8"):
        repository_of("dino-8", "proxy")
    assert repository_of("me/dino-b8", "proxy") == "me/dino-b8"


def test_the_bundled_model_has_no_revisions():
    with pytest.raises(FeedsegError, match="mini comes with the package and has no revisions: leave out @v1"):
        repository_of("mini@v1", "tower")


def test_a_folder_of_a_similar_name_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vit-b16").mkdir()
    assert repository_of("vit-b16", "tower") == "vit-b16"
