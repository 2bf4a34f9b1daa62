"""Inputs moved by one unit in the last place: what a test asserts must not hang on them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def perturbed(tensor: Tensor, seed: int = 0) -> Tensor:
    """Every number moved up or down by one unit in the last place of its type, by chance."""
    generator = torch.Generator().manual_seed(seed)
    up = torch.rand(tensor.shape, generator=generator) < 0.5
    towards = torch.where(up, torch.inf, -torch.inf).to(tensor.dtype)
    return torch.nextafter(tensor, towards)


def movement(compute: Callable[..., Tensor | np.ndarray], inputs: Sequence[Tensor], times: int = 3) -> float:
    """The largest absolute change of a result when all of its inputs move by one unit in the last place."""
    exact = np.asarray(compute(*inputs))
    others = (
        compute(*(perturbed(one, 100 * time + index) for index, one in enumerate(inputs))) for time in range(times)
    )
    return max(float(np.abs(np.asarray(other) - exact).max()) for other in others)
