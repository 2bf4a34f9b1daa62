"""Opening a text-aligned model, vision tower and text, from any of the layouts it may come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.checkpoint import Checkpoint, find_checkpoint, load_weights, read_config
from feedseg.vision.modules import (
    Channels,
    build_module,
    channels,
    load_module,
    normalisation_of,
    quiet_transformers,
)
from feedseg.vision.openclip import translated_config, translated_weights
from feedseg.vision.text import TextEmbedder, TextTower, read_bank
from feedseg.vision.tower import ClipTower, Dinov2Tower, Tower

CLIP_MEAN: Channels = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Channels = (0.26862954, 0.26130258, 0.27577711)
MANIFEST = "feedseg.json"
DINOV2_CLASSES = {"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}


@dataclass(frozen=True)
class Model:
    """A vision tower and the text that its patches are compared with."""

    tower: Tower
    text: TextEmbedder
    source: str
    revision: str


def open_model(source: str | Path) -> Model:
    """Open a local folder or hub repository: transformers' `CLIPModel`, OpenCLIP's layout, or a manifest's tower."""
    if (Path(source) / MANIFEST).is_file():  # its weights lie in folders of their own, so it is no checkpoint
        return _open_manifest(Path(source))
    checkpoint = find_checkpoint(source, tokenizer=True)
    is_transformers = (checkpoint.folder / "config.json").is_file()
    is_openclip = (checkpoint.folder / "open_clip_config.json").is_file()
    if is_openclip and (not is_transformers or checkpoint.weights[0].name.startswith("open_clip")):
        return _open_openclip(checkpoint)
    if is_transformers:
        kind = read_config(checkpoint).get("model_type")
        if kind != "clip":
            raise FeedsegError(f"{checkpoint.source} is a {kind!r} model, not a CLIP; to use it as a proxy, say so")
        clip = load_module(checkpoint, "CLIPModel")
        mean, std = normalisation_of(checkpoint, CLIP_MEAN, CLIP_STD)
        return _clip(checkpoint, clip, _tokenizer(checkpoint), mean, std)
    raise FeedsegError(
        f"{checkpoint.source} has neither config.json, open_clip_config.json nor {MANIFEST}, "
        "so its architecture and activation are unknown"
    )


def _clip(checkpoint: Checkpoint, clip: Any, tokenizer: Any, mean: Channels, std: Channels) -> Model:
    tower = ClipTower(clip.vision_model, clip.visual_projection, mean, std)
    text = TextTower(clip.text_model, clip.text_projection, tokenizer, checkpoint.revision)
    return Model(tower, text, checkpoint.source, checkpoint.revision)


def _tokenizer(checkpoint: Checkpoint) -> Any:
    from transformers import AutoTokenizer

    with quiet_transformers():
        try:
            return AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise FeedsegError(f"{checkpoint.source} has no usable tokenizer: {first_line(error)}") from error


def _open_openclip(checkpoint: Checkpoint) -> Model:
    from transformers import CLIPConfig

    config = read_config(checkpoint, "open_clip_config.json")
    arguments = translated_config(config, checkpoint.source)
    tokenizer = _tokenizer(checkpoint)
    # where a sentence ends, which is where the text is read, is known to the tokenizer alone
    arguments["text_config"] |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    clip_config = CLIPConfig(**arguments)
    weights = translated_weights(load_weights(checkpoint))
    clip = build_module("CLIPModel", clip_config, weights, checkpoint.source)
    preprocessing = config.get("preprocess_cfg", {})
    mean = channels(preprocessing.get("mean", CLIP_MEAN), checkpoint)
    std = channels(preprocessing.get("std", CLIP_STD), checkpoint)
    return _clip(checkpoint, clip, tokenizer, mean, std)


def _open_manifest(folder: Path) -> Model:
    """A DINOv2 tower with a joint projection and a bank of text embeddings, described by `feedseg.json`.

    Keys, paths relative to the manifest: `tower` (folder), `projection` (safetensors with `ln_post.weight`,
    `ln_post.bias` (D,) and `proj` (D, E)), `projection_eps`, `text` (list of banks), `mean`, `std`, `licence`.
    """
    source = str(folder)
    manifest_home = Checkpoint(source=source, folder=folder, repository=None, weights=())
    manifest = read_config(manifest_home, MANIFEST)
    try:
        checkpoint = find_checkpoint(folder / manifest["tower"])
        projection_file = folder / manifest["projection"]
        banks = [folder / name for name in manifest["text"]]
        mean, std = channels(manifest["mean"], manifest_home), channels(manifest["std"], manifest_home)
        eps = float(manifest["projection_eps"])
    except (KeyError, TypeError) as error:
        raise FeedsegError(f"{folder / MANIFEST} lacks {error}") from error
    kind = read_config(checkpoint).get("model_type")
    if kind not in DINOV2_CLASSES:
        raise FeedsegError(
            f"{checkpoint.source} is a {kind!r} model; a manifest's tower is one of {list(DINOV2_CLASSES)}"
        )
    model = load_module(checkpoint, DINOV2_CLASSES[kind])
    alignment_home = Checkpoint(source=source, folder=folder, repository=None, weights=(projection_file,))
    alignment = load_weights(alignment_home)
    try:
        projection = alignment["proj"].float()
        norm = nn.LayerNorm(len(projection), eps=eps)
        norm.load_state_dict({name: alignment[f"ln_post.{name}"].float() for name in ("weight", "bias")})
    except (KeyError, RuntimeError) as error:
        raise FeedsegError(f"{projection_file} does not hold ln_post.weight, ln_post.bias and proj: {error}") from error
    if projection.shape[0] != model.config.hidden_size:
        raise FeedsegError(
            f"{projection_file} projects {projection.shape[0]} channels, the tower has {model.config.hidden_size}"
        )
    # the revision covers everything that makes the numbers: tower, projection and text
    whole = Checkpoint(
        source=source, folder=folder, repository=None, weights=(*checkpoint.weights, projection_file, *banks)
    )
    tower = Dinov2Tower(model, norm.requires_grad_(False), projection, mean, std)
    return Model(tower, read_bank(banks, source, whole.revision), source, whole.revision)
