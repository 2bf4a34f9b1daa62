"""CLIP and its kin: OpenAI, LAION, MetaCLIP; from transformers' or OpenCLIP's layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from feedseg.vision.model import Model
from feedseg.vision.networks.load import load_network
from feedseg.vision.ops import bicubic_weights
from feedseg.vision.text.clip import ClipTextEncoder, load_tokenizer
from feedseg.vision.text.tokenizer import load_prompt_tokenizer
from feedseg.vision.towers.base import TowerFamily
from feedseg.vision.towers.blocks import ClipBlocks
from feedseg.weights.checkpoint import Checkpoint, load_weights, read_config
from feedseg.weights.modules import Channels, build_module, channels, deviations, normalisation_of
from feedseg.weights.openclip import OPENCLIP_CONFIG, is_openclip, translated_config, translated_weights

if TYPE_CHECKING:
    from transformers import CLIPVisionModel

CLIP_MEAN: Channels = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Channels = (0.26862954, 0.26130258, 0.27577711)


class ClipTower(ClipBlocks):
    """The vision half of a CLIP: `CLIPVisionModel` and the visual projection, of any size and origin."""

    prefix = 1

    def __init__(self, model: CLIPVisionModel, projection: nn.Linear, mean: Channels, std: Channels) -> None:
        super().__init__(model)
        self.projection = projection
        self.mean, self.std = mean, std

    def embed(self, pixels: Tensor) -> Tensor:
        embeddings = self.model.embeddings
        patches = embeddings.patch_embedding(pixels)
        class_token = embeddings.class_embedding.expand(pixels.shape[0], 1, -1)
        tokens = torch.cat((class_token, patches.flatten(2).transpose(1, 2)), dim=1)
        positions = resize_positions(embeddings.position_embedding.weight, (patches.shape[-2], patches.shape[-1]))
        return self.model.pre_layrnorm(tokens + positions)

    def join(self, tokens: Tensor) -> Tensor:
        return self.projection(self.final_norm(tokens))


def resize_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """A CLIP's position embeddings for another grid: (1 + n², D) to (1 + h·w, D), the class token's first.

    Bicubic with the scale factor (side + 0.1) / n, as the reference implementations of the hosts do it; transformers
    passes the target size instead, whose numbers differ slightly. Computed in fp32.
    """
    native = round((len(table) - 1) ** 0.5)
    if grid == (native, native):
        return table
    square = table[1:].float().T.unflatten(-1, (native, native))[None]
    if any(isinstance(side, torch.SymInt) for side in grid):  # traced for every size: a factor would be a constant
        height, width = map(torch.scalar_tensor, grid)
        extra = torch.where((height == native) & (width == native), 0.0, 0.1)
        down, across = (bicubic_weights(native, side, native / (side + extra)) for side in grid)
        resized = down @ square @ across.T
        return torch.cat((table[:1], resized[0].flatten(1).T.to(table.dtype)))
    scale = tuple((side + 0.1) / native for side in grid)
    resized = interpolate(square, scale_factor=scale, mode="bicubic", align_corners=False)
    if resized.shape[-2:] != grid:  # the reference's floor of n · (side + 0.1) / n, which must be `side`
        raise ValueError(f"position embeddings of {native} × {native} do not resize to {grid[0]} × {grid[1]}")
    return torch.cat((table[:1], resized[0].flatten(1).T.to(table.dtype)))


class ClipFamily(TowerFamily):
    """`CLIPModel` checkpoints, and OpenCLIP's."""

    model_types = ("clip",)

    def has_own_layout(self, checkpoint: Checkpoint) -> bool:
        return is_openclip(checkpoint)

    def open(self, checkpoint: Checkpoint) -> Model:
        if is_openclip(checkpoint):
            clip, tokenizer, mean, std = _from_openclip(checkpoint)
        else:
            clip, tokenizer = load_network(checkpoint, "CLIPModel"), load_prompt_tokenizer(checkpoint)
            mean, std = normalisation_of(checkpoint, CLIP_MEAN, CLIP_STD)
        tower = ClipTower(clip.vision_model, clip.visual_projection, mean, std)
        text = ClipTextEncoder(clip.text_model, clip.text_projection, tokenizer, checkpoint.revision)
        return Model(tower, text, checkpoint.source, checkpoint.revision)


def _from_openclip(checkpoint: Checkpoint) -> tuple[Any, Any, Channels, Channels]:
    """Module, tokenizer, mean and standard deviation."""
    from transformers import CLIPConfig

    config = read_config(checkpoint, OPENCLIP_CONFIG)
    arguments = translated_config(config, checkpoint.source)
    tokenizer = load_tokenizer(checkpoint)
    # where a sentence ends, which is where the text is read, is known to the tokenizer alone
    arguments["text_config"] |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    weights = translated_weights(load_weights(checkpoint), checkpoint.source)
    clip = build_module("CLIPModel", CLIPConfig(**arguments), weights, checkpoint.source)
    preprocessing = config.get("preprocess_cfg", {})
    mean = channels(preprocessing.get("mean") or CLIP_MEAN, checkpoint.source)
    std = deviations(preprocessing.get("std") or CLIP_STD, checkpoint.source)
    return clip, tokenizer, mean, std


TOWER = ClipFamily()
