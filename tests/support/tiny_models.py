"""Tiny random checkpoints of every family, saved in the layout that a user would have them in."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = (
    "a an the of photo picture good bad cat kitten dog sofa couch armchair rug wall floor sky red green blue grass"
).split()
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
TEXT: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": len(WORDS) + 4,
    "max_position_embeddings": 24,
    "bos_token_id": 1,
    "eos_token_id": 3,  # 2 would switch transformers to an old way of pooling
    "pad_token_id": 2,
}
ENCODER = VISION | {"hidden_act": "gelu"}
# proxy family -> transformers' model class, its configuration class, the configuration
PROXIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "dino": ("ViTModel", "ViTConfig", ENCODER),
    "dinov2": ("Dinov2Model", "Dinov2Config", ENCODER | {"mlp_ratio": 2}),
    "dinov2-registers": (
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersConfig",
        ENCODER | {"mlp_ratio": 2, "num_register_tokens": 4},
    ),
    "dinov3": ("DINOv3ViTModel", "DINOv3ViTConfig", ENCODER | {"num_register_tokens": 4}),
    "radio": (
        "RadioModel",
        "RadioConfig",
        {name: value for name, value in ENCODER.items() if name != "intermediate_size"} | {"mlp_ratio": 2.0},
    ),
    "mae": ("ViTMAEModel", "ViTMAEConfig", ENCODER),
    "sam": (
        "SamVisionModel",
        "SamVisionConfig",
        ENCODER
        | {"image_size": 64, "output_channels": 12, "window_size": 3, "global_attn_indexes": [1], "mlp_dim": 48},
    ),
}


def shake(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Known random numbers everywhere, also where an initialisation has zeros, so that nothing can cancel."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            mean = 1.0 if parameter.dim() == 1 and bool((parameter == 1).all()) else 0.0
            parameter.copy_(mean + torch.randn(parameter.shape, generator=generator) * 0.15)
    return module.eval()


def save_tokenizer(folder: Path) -> None:
    """A word-level tokenizer with CLIP's special tokens: unknown 0, begin 1, padding 2, end 3."""
    vocabulary = {word: number for number, word in enumerate(("<unk>", "<start>", "<pad>", "<end>", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<start>", eos_token="<end>", pad_token="<pad>"
    ).save_pretrained(folder)


def clip(activation: str = "quick_gelu", seed: int = 0, **vision: Any) -> transformers.CLIPModel:
    """A random `CLIPModel` in evaluation mode."""
    config = transformers.CLIPConfig(
        vision_config=VISION | {"hidden_act": activation} | vision,
        text_config=TEXT | {"hidden_act": activation},
        projection_dim=20,
    )
    model = transformers.CLIPModel(config)
    shake(model, seed)
    return model


def save_clip(folder: Path, **options: Any) -> transformers.CLIPModel:
    """A random CLIP as transformers saves it, with its tokenizer."""
    model = clip(**options)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model


def save_proxy(folder: Path, family: str, seed: int = 0, **changes: Any) -> Any:
    """A random encoder of a family in `PROXIES` as transformers saves it."""
    class_name, config_name, options = PROXIES[family]
    config = getattr(transformers, config_name)(**(options | changes))
    model = getattr(transformers, class_name)(config)
    shake(model, seed)
    model.save_pretrained(folder)
    return model


def save_aligned(folder: Path, words: tuple[str, ...] = ("cat", "dog", "sofa"), registers: int = 0) -> Any:
    """A random DINOv2 with a joint projection and a bank of words, tied together by a manifest."""
    model = save_proxy(folder / "tower", "dinov2-registers" if registers else "dinov2")
    generator = torch.Generator().manual_seed(7)
    alignment = {
        "ln_post.weight": 1 + 0.1 * torch.randn(32, generator=generator),
        "ln_post.bias": 0.1 * torch.randn(32, generator=generator),
        "proj": torch.randn(32, 16, generator=generator),
    }
    save_file(alignment, folder / "alignment.safetensors")
    bank = torch.nn.functional.normalize(torch.randn(len(words), 16, generator=generator), dim=-1)
    save_file({"embeddings": bank}, folder / "words.safetensors", metadata={"names": json.dumps(words)})
    manifest = {
        "tower": "tower",
        "projection": "alignment.safetensors",
        "projection_eps": 1e-6,
        "text": ["words.safetensors"],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "licence": "random numbers",
    }
    (folder / "feedseg.json").write_text(json.dumps(manifest))
    return model


def save_sam(folder: Path, seed: int = 0) -> transformers.SamModel:
    """A random SAM that sees squares of 64 pixels, as transformers saves it."""
    config = transformers.SamConfig(
        vision_config=PROXIES["sam"][2] | {"num_pos_feats": 6},  # half of the hidden size
        prompt_encoder_config={"hidden_size": 12, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 12, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 8},
    )
    model = transformers.SamModel(config)
    shake(model, seed)
    model.save_pretrained(folder)
    return model


def save_sam2(folder: Path, seed: int = 0) -> transformers.Sam2Model:
    """A random SAM 2 that sees squares of 64 pixels, as transformers saves it."""
    config = transformers.Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "num_attention_heads": 1,
                "image_size": [64, 64],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "window_size_per_stage": [4, 4, 4, 4],
                "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [4, 4],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 16,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 8},
    )
    model = transformers.Sam2Model(config)
    shake(model, seed)
    model.save_pretrained(folder)
    return model
