"""Floating-point numbers moved by one unit in the last place, as another processor's rounding would.

A test whose assertion holds for what `Perturbed` returns, several times over, does not depend on how one machine rounds:

    def test_something(perturbed):
        for inputs in perturbed.times(3, tensors):
            torch.testing.assert_close(function(*inputs), expected)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")


class Perturbed:
    """Moves every float up or down by one unit in the last place; signs are random, and the same for the same seed."""

    def __init__(self, seed: int = 0, units: int = 1) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._units = units

    def __call__(self, value: T) -> T:
        """A copy of a tensor, an array, a number, or of a list, tuple, dict or dataclass of these.

        What is no float stays as it is: integers, bools, strings, infinities and NaN. Zero becomes the smallest number
        beside it. A tensor keeps its dtype, device and shape.
        """
        return self._moved(value)

    def times(self, repeats: int, value: T) -> Iterator[T]:
        """The value itself, then so many perturbed copies of it."""
        yield value
        for _ in range(repeats):
            yield self(value)

    def _moved(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
            return self._tensor(torch.from_numpy(value)).numpy()
        if isinstance(value, float):
            return self._tensor(torch.tensor(value, dtype=torch.float64)).item()
        if isinstance(value, Mapping):
            return type(value)({key: self._moved(each) for key, each in value.items()})  # pyright: ignore
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self._moved, value))
        if isinstance(value, (list, tuple)):
            return type(value)(map(self._moved, value))
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value, **{each.name: self._moved(getattr(value, each.name)) for each in fields(value) if each.init}
            )
        return value

    def _tensor(self, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        moved = tensor.detach().clone()
        limit = torch.where(torch.rand(tensor.shape, generator=self._generator) < 0.5, -torch.inf, torch.inf)
        limit = limit.to(tensor.device, tensor.dtype)
        finite = torch.isfinite(tensor)
        for _ in range(self._units):
            moved = torch.where(finite, torch.nextafter(moved, limit), moved)
        return moved
