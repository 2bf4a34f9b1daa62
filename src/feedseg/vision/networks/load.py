"""A checkpoint's network: one of ours where it covers the checkpoint, transformers' own otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from feedseg.vision.networks.bert import BertNetwork
from feedseg.vision.networks.clip import ClipNetwork, QuickGelu
from feedseg.vision.networks.dinov2 import Dinov2Network
from feedseg.weights.checkpoint import Checkpoint, load_weights, read_config
from feedseg.weights.modules import fold_quick_gelu, load_module

if TYPE_CHECKING:
    from torch import Tensor

Network = Dinov2Network | BertNetwork | ClipNetwork
NETWORKS: Mapping[str, type[Network]] = MappingProxyType(
    {"Dinov2Model": Dinov2Network, "BertModel": BertNetwork, "CLIPModel": ClipNetwork}
)


def load_network(checkpoint: Checkpoint, class_name: str, **options: Any) -> Any:
    """A frozen fp32 network with what transformers' class `class_name` has, under its names.

    Args:
        checkpoint: with configuration and weights.
        class_name: of transformers.
        options: for that class.

    Raises:
        FeedsegError: as `feedseg.weights.modules.load_module`.
    """
    kind = NETWORKS.get(class_name)
    network = None if kind is None else kind.of(read_config(checkpoint))
    if network is None:
        return load_module(checkpoint, class_name, **options)
    weights = load_weights(checkpoint)
    own = _named(weights, network)
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if {name: tensor.shape for name, tensor in own.items()} != wanted:
        return load_module(checkpoint, class_name, weights=weights, **options)
    network.load_state_dict({name: tensor.float() for name, tensor in own.items()}, assign=True)
    fold_quick_gelu(network, QuickGelu)
    return network.eval().requires_grad_(False)


def _named(weights: Mapping[str, Tensor], network: Network) -> dict[str, Tensor]:
    """The weights that a network may have, by its own names."""
    found = {}
    for name, tensor in weights.items():
        if not name.startswith(network.unused):
            own = name
            for old, new in network.renames:
                own = own.replace(old, new)
            found[own] = tensor
    return found
