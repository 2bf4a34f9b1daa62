"""TIPSv2, whose patches are trained to be compared with text: no projection, its own text tower and prompts."""

from __future__ import annotations

from torch import Tensor, nn

from feedseg.vision.model import Model
from feedseg.vision.text.clip import ClipTextEncoder, PromptForm, load_tokenizer
from feedseg.vision.towers.base import TowerFamily
from feedseg.vision.towers.layer_scaled import LayerScaledTower
from feedseg.weights.checkpoint import Checkpoint
from feedseg.weights.modules import Channels, load_module, normalisation_of

# Of its own evaluation on ADE20K.
TEMPLATES = (
    "itap of a {}.",
    "a bad photo of a {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
    "a photo of many {}.",
    "a photo of {}s.",
)
MEAN: Channels = (0.0, 0.0, 0.0)  # pixels in [0, 1] as they are
STD: Channels = (1.0, 1.0, 1.0)


class Tipsv2Tower(LayerScaledTower):
    """The vision half of a `Tipsv2Model`; the space of its final tokens is the joint one."""

    default_proxy = "self"
    default_feedback = "calibrated"

    def join(self, tokens: Tensor) -> Tensor:
        return self.final_norm(tokens)


class Tipsv2Family(TowerFamily):
    """`Tipsv2Model` checkpoints."""

    model_types = ("tipsv2",)

    def open(self, checkpoint: Checkpoint) -> Model:
        whole = load_module(checkpoint, "Tipsv2Model", may_lack=("temperature",))
        mean, std = normalisation_of(checkpoint, MEAN, STD)
        form = PromptForm(lower=True, padded=True, templates=TEMPLATES)
        text = ClipTextEncoder(whole.text_model, nn.Identity(), load_tokenizer(checkpoint), checkpoint.revision, form)
        return Model(Tipsv2Tower(whole.vision_model, mean, std), text, checkpoint.source, checkpoint.revision)


TOWER = Tipsv2Family()
