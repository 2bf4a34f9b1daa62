"""Opening a text-aligned model, vision tower and text, from any of the layouts it may come in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.text.base import TextEmbedder, TextTower, read_bank
from feedseg.vision.towers.base import ClipTower, Dinov2Tower, Tower
from feedseg.weights.checkpoint import CONFIGS, Checkpoint, find_checkpoint, load_weights, read_config
from feedseg.weights.modules import (
    Channels,
    build_module,
    channels,
    deviations,
    load_module,
    normalisation_of,
    quiet_transformers,
)
from feedseg.weights.openclip import translated_config, translated_weights

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
    folder = Path(os.path.expanduser(source))  # noqa: PTH111 -- Path's own fails for a user that does not exist
    if is_file(folder / MANIFEST):  # its weights lie in folders of their own, so it is no checkpoint
        return _open_manifest(folder)
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
    weights = translated_weights(load_weights(checkpoint), checkpoint.source)
    clip = build_module("CLIPModel", clip_config, weights, checkpoint.source)
    preprocessing = config.get("preprocess_cfg", {})
    mean = channels(preprocessing.get("mean") or CLIP_MEAN, checkpoint.source)
    std = deviations(preprocessing.get("std") or CLIP_STD, checkpoint.source)
    return _clip(checkpoint, clip, tokenizer, mean, std)


def _open_manifest(folder: Path) -> Model:
    """A DINOv2 tower with a joint projection and a bank of text embeddings, described by `feedseg.json`.

    Keys, paths relative to the manifest: `tower` (folder), `projection` (safetensors with `ln_post.weight`,
    `ln_post.bias` (D,) and `proj` (D, E)), `projection_eps`, `text` (list of banks), `mean`, `std`, `licence`.
    """
    source = str(folder)
    home = Checkpoint(source=source, folder=folder, repository=None, weights=())
    manifest = read_config(home, MANIFEST)
    try:
        checkpoint = find_checkpoint(folder / manifest["tower"])
        projection_file = folder / manifest["projection"]
        names = manifest["text"]
        banks = [folder / name for name in ([names] if isinstance(names, str) else names)]
        mean, std = channels(manifest["mean"], source), deviations(manifest["std"], source)
        eps = float(manifest["projection_eps"])
    except KeyError as error:
        raise FeedsegError(f"{folder / MANIFEST} lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise FeedsegError(f"{folder / MANIFEST} holds something of a wrong kind: {first_line(error)}") from error
    kind = read_config(checkpoint).get("model_type")
    if kind not in DINOV2_CLASSES:
        known = ", ".join(DINOV2_CLASSES)
        raise FeedsegError(f"{checkpoint.source} is a {kind!r} model; a manifest's tower is one of {known}")
    model = load_module(checkpoint, DINOV2_CLASSES[kind])
    norm, projection = _alignment(projection_file, eps, model.config.hidden_size)
    bank = read_bank(banks, source, _manifest_revision(folder, checkpoint, projection_file, banks))
    if bank.size != projection.shape[1]:
        raise FeedsegError(
            f"{source}: its words have {bank.size} numbers, and its projection gives {projection.shape[1]}"
        )
    return Model(Dinov2Tower(model, norm, projection, mean, std), bank, source, bank.revision)


def _alignment(file: Path, eps: float, width: int) -> tuple[nn.LayerNorm, Tensor]:
    """The layer norm and the joint projection, (D, E), of a tower of some width D."""
    tensors = load_weights(Checkpoint(source=str(file), folder=file.parent, repository=None, weights=(file,)))
    try:
        projection = tensors["proj"].float()
        norm = nn.LayerNorm(width, eps=eps)
        norm.load_state_dict({name: tensors[f"ln_post.{name}"].float() for name in ("weight", "bias")})
    except (KeyError, RuntimeError) as error:
        raise FeedsegError(
            f"{file} does not hold ln_post.weight, ln_post.bias and proj for {width} channels"
        ) from error
    if projection.dim() != 2 or len(projection) != width:
        raise FeedsegError(f"{file} projects {tuple(projection.shape)}, and the tower has {width} channels")
    return norm.requires_grad_(False), projection


def _manifest_revision(folder: Path, tower: Checkpoint, projection: Path, banks: list[Path]) -> str:
    """One revision of all that makes the numbers: manifest, tower with its configuration, projection and words."""
    beside = [path for name in CONFIGS if (path := tower.folder / name).is_file()]
    everything = (folder / MANIFEST, *tower.weights, *beside, projection, *banks)
    return Checkpoint(source=str(folder), folder=folder, repository=None, weights=everything).revision


def is_file(path: Path) -> bool:
    """Whether there is such a file; a text of any length may be no possible path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
