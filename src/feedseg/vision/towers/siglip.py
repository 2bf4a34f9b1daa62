"""SigLIP and SigLIP 2 (Zhai et al., ICCV 2023; Tschannen et al., arXiv 2502.14786), from transformers' layout.

Their images are pooled by one more attention, whose single query is learnt. A patch becomes comparable with text by the
same head as if it were all that the query saw: u = W_o (W_v h + b_v) + b_o, then u + MLP(LN u). There is no class token
and no projection. The sigmoid's scale and bias are left out: cosines are compared among words, and a bias that is the
same for every word changes no probability.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.nn.functional import linear

from feedseg.errors import FeedsegError
from feedseg.vision.model import Model
from feedseg.vision.ops import smoothly_resized
from feedseg.vision.text.padded import PaddedTextEncoder, load_padded_tokenizer
from feedseg.vision.towers.base import TowerFamily
from feedseg.vision.towers.blocks import ClipBlocks
from feedseg.weights.checkpoint import Checkpoint, read_config
from feedseg.weights.modules import Channels, load_module, normalisation_of

if TYPE_CHECKING:
    from tokenizers.normalizers import Normalizer

HALF: Channels = (0.5, 0.5, 0.5)  # mean and deviation alike


class SiglipTower(ClipBlocks):
    """The vision half of a SigLIP with its pooling head, of any size."""

    prefix = 0
    reads_class_token = False  # there is none
    default_feedback = "calibrated"  # the paper's constants are for CLIP's spread of cosines

    def __init__(self, model: Any, mean: Channels, std: Channels, *, head_mlp: bool = True) -> None:
        """`head_mlp`: a patch goes through the pooling head's feed-forward too, as the pooled image does."""
        super().__init__(model)
        self.head_mlp = head_mlp
        self.mean, self.std = mean, std

    def embed(self, pixels: Tensor) -> Tensor:
        return self.model.embeddings(pixels, interpolate_pos_encoding=True)

    def join(self, tokens: Tensor) -> Tensor:
        head = self.model.head
        weight, bias = (part.chunk(3)[2] for part in (head.attention.in_proj_weight, head.attention.in_proj_bias))
        alone = head.attention.out_proj(linear(self.final_norm(tokens), weight, bias))
        return alone + head.mlp(head.layernorm(alone)) if self.head_mlp else alone


class NaflexTower(SiglipTower):
    """SigLIP 2 for any resolution: patches are a linear map of their pixels, positions resized with antialiasing."""

    square_windows = False  # trained on whole images in their own proportions

    def _grid_of(self, config: Any) -> tuple[int, int]:
        side = round(config.num_patches**0.5)
        return side, side

    def embed(self, pixels: Tensor) -> Tensor:
        embeddings, patch = self.model.embeddings, self.patch_size
        # (B, 3, h·p, w·p) to (B, h·w, p·p·3), in the order of transformers' image processor
        cut = pixels.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
        grid = (cut.shape[2], cut.shape[4])
        patches = embeddings.patch_embedding(cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2))
        return patches + smoothly_resized(embeddings.position_embedding.weight, self.native_grid, grid)


@dataclass(frozen=True)
class SiglipFamily(TowerFamily):
    """`SiglipModel` (SigLIP, and SigLIP 2 of a fixed resolution) and `Siglip2Model` (NaFlex) checkpoints.

    `SiglipFamily(head_mlp=False).open(checkpoint)` is a model whose patches leave out the pooling head's feed-forward.
    """

    head_mlp: bool = True  # as the pooled image, and so the text, were trained

    model_types = ("siglip", "siglip2")

    def open(self, checkpoint: Checkpoint) -> Model:
        naflex = read_config(checkpoint).get("model_type") == "siglip2"
        siglip = load_module(checkpoint, "Siglip2Model" if naflex else "SiglipModel")
        if not hasattr(siglip.vision_model, "head"):
            raise FeedsegError(f"{checkpoint.source} has no pooling head, by which patches are compared with text")
        mean, std = normalisation_of(checkpoint, HALF, HALF)
        tower = (NaflexTower if naflex else SiglipTower)(siglip.vision_model, mean, std, head_mlp=self.head_mlp)
        length = siglip.config.text_config.max_position_embeddings
        tokenizer = load_padded_tokenizer(checkpoint, length, normalisers(checkpoint), ends=True)
        text = PaddedTextEncoder(siglip.text_model, tokenizer, checkpoint.revision, sees_padding=True)
        model = Model(tower, text, checkpoint.source, checkpoint.revision)
        return model if self.head_mlp else replace(model, revision=f"{model.revision} without the head's MLP")


def normalisers(checkpoint: Checkpoint) -> list[Normalizer]:
    """What a prompt goes through first: both are trained on lower case, the first SigLIP without punctuation too.

    Tokenizers of SigLIP 2 are published under Gemma's class, which would leave capitals.
    """
    from tokenizers import Regex
    from tokenizers.normalizers import Lowercase, Replace, Strip

    if read_config(checkpoint, "tokenizer_config.json").get("tokenizer_class") != "SiglipTokenizer":
        return [Lowercase()]
    punctuation = Regex(f"[{re.escape(string.punctuation)}]")
    return [Lowercase(), Replace(punctuation, ""), Replace(Regex(r"\s+"), " "), Strip()]


TOWER = SiglipFamily()
