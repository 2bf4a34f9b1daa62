"""Weights in eight bits: a matrix `W` of int8 beside `W.scale`, one scale a row, stands for their product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from feedseg.errors import FeedsegError

if TYPE_CHECKING:
    from torch import Tensor

SCALE = ".scale"


def dequantised(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, every matrix of int8 that has scales multiplied by them, in fp32; the others as they are."""
    import torch

    found = {}
    for name, tensor in tensors.items():
        scale = tensors.get(name + SCALE)
        if tensor.dtype == torch.int8 and scale is not None:
            if scale.numel() not in (1, len(tensor)) or scale.dim() not in (0, 1, tensor.dim()):
                shapes = f"{tuple(tensor.shape)} and {tuple(scale.shape)}"
                raise FeedsegError(f"the scales of {name} do not fit it, one a row: {shapes}")
            rows = scale.float().reshape(-1, *(1 for _ in tensor.shape[1:]))
            found[name] = tensor.float().mul_(rows)  # twice as quick as a product of the two types
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in tensors):
            found[name] = tensor
    return found
