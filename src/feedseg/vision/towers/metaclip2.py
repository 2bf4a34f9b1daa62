"""MetaCLIP 2 (Chuang et al., arXiv 2507.22062), from transformers' layout: a CLIP for words of any language."""

from __future__ import annotations

from feedseg.vision.model import Model
from feedseg.vision.text.clip import ClipTextEncoder, load_tokenizer
from feedseg.vision.towers.base import TowerFamily
from feedseg.vision.towers.clip import CLIP_MEAN, CLIP_STD, ClipTower
from feedseg.weights.checkpoint import Checkpoint
from feedseg.weights.modules import load_module, normalisation_of


class MetaClip2Family(TowerFamily):
    """`MetaClip2Model` checkpoints. The vision half is CLIP's; the tokenizer is XLM-V's or mT5's."""

    model_types = ("metaclip_2",)

    def open(self, checkpoint: Checkpoint) -> Model:
        clip, tokenizer = load_module(checkpoint, "MetaClip2Model"), load_tokenizer(checkpoint)
        tower = ClipTower(clip.vision_model, clip.visual_projection, *normalisation_of(checkpoint, CLIP_MEAN, CLIP_STD))
        text = ClipTextEncoder(clip.text_model, clip.text_projection, tokenizer, checkpoint.revision)
        return Model(tower, text, checkpoint.source, checkpoint.revision)


TOWER = MetaClip2Family()
