"""OpenCLIP's checkpoints in transformers' terms: a translation of names, shapes and configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from feedseg.errors import FeedsegError, first_line
from feedseg.weights.checkpoint import Checkpoint

OPENCLIP_CONFIG = "open_clip_config.json"

# What a configuration may set without changing the architecture that is translated here.
_MODEL_KEYS = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"}
_VISION_KEYS = {"image_size", "layers", "width", "patch_size", "head_width", "mlp_ratio", "patch_dropout"}
_TEXT_KEYS = {
    "context_length",
    "vocab_size",
    "width",
    "heads",
    "layers",
    "mlp_ratio",
    "hf_tokenizer_name",
    "tokenizer_kwargs",
}
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_VISION = {
    "class_embedding": "vision_model.embeddings.class_embedding",
    "positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "ln_post.weight": "vision_model.post_layernorm.weight",
    "ln_post.bias": "vision_model.post_layernorm.bias",
}
_TEXT = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}


def translated_weights(weights: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """A state dict of OpenCLIP's `CLIP` as one of transformers' `CLIPModel`.

    Takes the names with `visual.` and, of newer checkpoints, `text.` in front.

    Raises:
        FeedsegError: a tensor that a plain CLIP does not have.
    """
    translated: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name.startswith("visual."):
            new = dict(_vision(name.removeprefix("visual."), tensor))
        else:
            new = dict(_text(name.removeprefix("text."), tensor))
        if not new and not name.endswith("attn_mask"):  # the mask is the causal one, which is computed
            raise FeedsegError(f"{source}: {name} belongs to no plain CLIP, so this is another architecture")
        translated.update(new)
    return translated


def translated_vision_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of OpenCLIP's vision tower alone, without `visual.`, as one of `CLIPVisionModelWithProjection`."""
    return {new: tensor for name, value in weights.items() for new, tensor in _vision(name, value)}


def _vision(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if name == "proj":
        yield "visual_projection.weight", tensor.T.contiguous()
    elif name.startswith("transformer.resblocks."):
        yield from _block("vision_model", name, tensor)
    elif name in _VISION:
        yield _VISION[name], tensor


def _text(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if name == "text_projection":
        yield "text_projection.weight", tensor.T.contiguous()
    elif name == "logit_scale":
        yield name, tensor
    elif name.startswith("transformer.resblocks."):
        yield from _block("text_model", name, tensor)
    elif name in _TEXT:
        yield _TEXT[name], tensor


def _block(tower: str, name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    number, _, rest = name.removeprefix("transformer.resblocks.").partition(".")
    layer = f"{tower}.encoder.layers.{number}"
    if rest.startswith("attn.in_proj_"):
        kind = rest.removeprefix("attn.in_proj_")
        for projection, part in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{layer}.self_attn.{projection}_proj.{kind}", part.contiguous()
    else:
        module, _, kind = rest.rpartition(".")
        if module in _BLOCK:
            yield f"{layer}.{_BLOCK[module]}.{kind}", tensor


def translated_config(open_clip_config: Mapping[str, Any], source: str) -> dict[str, Any]:
    """`open_clip_config.json` as the arguments of transformers' `CLIPConfig`.

    Raises:
        FeedsegError: the model is no plain CLIP (another text or vision architecture).
    """
    model = open_clip_config.get("model_cfg", open_clip_config)
    try:
        vision, text, size = model["vision_cfg"], model["text_cfg"], model["embed_dim"]
        strange = {
            key
            for part, known in ((model, _MODEL_KEYS), (vision, _VISION_KEYS), (text, _TEXT_KEYS))
            for key in part
            if key not in known
        }
        if strange or not isinstance(vision["layers"], int):
            what = ", ".join(sorted(strange)) or "its layers"
            if "timm_model_name" in strange:  # MobileCLIP, ConvNeXt, EVA, …
                what += f" ({str(vision['timm_model_name'])[:60]}: hosts replace the last attention of a plain ViT)"
            raise FeedsegError(f"{source}: only OpenCLIP's plain CLIPs can be opened, and this one sets {what}")
        activation = "quick_gelu" if model.get("quick_gelu", False) else "gelu"
        width = vision["width"]
        return {
            "projection_dim": size,
            "vision_config": {
                "hidden_size": width,
                "num_hidden_layers": vision["layers"],
                "num_attention_heads": max(1, width // vision.get("head_width", 64)),
                "intermediate_size": int(width * float(vision.get("mlp_ratio", 4.0))),
                "image_size": vision["image_size"],
                "patch_size": vision["patch_size"],
                "hidden_act": activation,
                "projection_dim": size,
            },
            "text_config": {
                "hidden_size": text["width"],
                "num_hidden_layers": text["layers"],
                "num_attention_heads": text["heads"],
                "intermediate_size": int(text["width"] * float(text.get("mlp_ratio", 4.0))),
                "max_position_embeddings": text["context_length"],
                "vocab_size": text["vocab_size"],
                "hidden_act": activation,
                "projection_dim": size,
            },
        }
    except KeyError as error:
        raise FeedsegError(f"{source}: open_clip_config.json lacks {error}") from error
    except (TypeError, ValueError, ArithmeticError) as error:
        raise FeedsegError(f"{source}: open_clip_config.json holds a wrong value: {first_line(error)}") from error


def is_openclip(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is read in OpenCLIP's layout; where it has both, the weights that were found decide."""
    if not (checkpoint.folder / OPENCLIP_CONFIG).is_file():
        return False
    return not (checkpoint.folder / "config.json").is_file() or checkpoint.weights[0].name.startswith("open_clip")
