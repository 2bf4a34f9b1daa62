"""DINOv2, with and without registers, aligned with text by a projection that a manifest names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

from feedseg.errors import FeedsegError
from feedseg.vision.networks.load import load_network
from feedseg.vision.towers.base import TowerFamily
from feedseg.vision.towers.blocks import LayerScaledBlocks
from feedseg.weights.checkpoint import Checkpoint, read_config
from feedseg.weights.modules import Channels

if TYPE_CHECKING:
    from transformers import Dinov2Model

CLASSES = {"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}


class Dinov2Tower(LayerScaledBlocks):
    """A DINOv2 encoder with a joint projection trained on its last attention's output.

    Such an alignment reads a patch without the last block's LayerScale, residual and feed-forward, behind a layer norm
    of its own and a matrix.
    """

    reads_residual = False
    reads_class_token = False
    square_windows = False
    default_proxy = "self"
    default_feedback = "calibrated"

    def __init__(
        self, model: Dinov2Model, norm: nn.LayerNorm, projection: Tensor, mean: Channels, std: Channels
    ) -> None:
        """`norm` and `projection`, (D, E), lead from the last attention's output to the joint space."""
        super().__init__(model)
        self.norm = norm
        self.projection = nn.Linear(*projection.shape, bias=False)
        self.projection.weight = nn.Parameter(projection.T.contiguous(), requires_grad=False)
        self.mean, self.std = mean, std

    def join(self, tokens: Tensor) -> Tensor:
        return self.projection(self.norm(tokens))


class Dinov2Family(TowerFamily):
    """`Dinov2Model` and `Dinov2WithRegistersModel` checkpoints."""

    model_types = tuple(CLASSES)

    def open_aligned(
        self,
        checkpoint: Checkpoint,
        norm: Mapping[str, Tensor],
        projection: Tensor,
        eps: float,
        mean: Channels,
        std: Channels,
    ) -> Dinov2Tower:
        model = load_network(checkpoint, CLASSES[read_config(checkpoint)["model_type"]])
        width = model.config.hidden_size
        if projection.dim() != 2 or len(projection) != width:
            raise FeedsegError(
                f"{checkpoint.source} has {width} channels, and its projection takes {tuple(projection.shape)}"
            )
        layer_norm = nn.LayerNorm(width, eps=eps)
        try:
            layer_norm.load_state_dict({name: tensor.float() for name, tensor in norm.items()})
        except RuntimeError as error:
            raise FeedsegError(f"{checkpoint.source}: the layer norm before its projection does not fit") from error
        return Dinov2Tower(model, layer_norm.requires_grad_(False), projection.float(), mean, std)


TOWER = Dinov2Family()
