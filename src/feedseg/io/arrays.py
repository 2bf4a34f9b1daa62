"""Arrays that belong to the object that holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def frozen(array: np.ndarray, dtype: DTypeLike | None = None) -> np.ndarray:
    """The array's values as an array that nobody can write to, of another dtype if one is given.

    It is a copy, unless the array and all that it is a view of are read-only: whoever has made an array for the purpose
    sets `flags.writeable = False` and saves the copy.
    """
    values = np.asarray(array, dtype)  # a copy where the dtype is another
    if values is array or np.may_share_memory(values, array):
        values = values if _is_read_only(values) else values.copy()
    values.flags.writeable = False
    return values


def refreeze(state: dict[str, Any]) -> None:
    """Make the arrays among an object's attributes read-only again, which pickles and deep copies of arrays are not."""
    for value in state.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False


def _is_read_only(array: np.ndarray) -> bool:
    memory: Any = array
    while isinstance(memory, np.ndarray):
        if memory.flags.writeable:
            return False
        memory = memory.base
    return memory is None or isinstance(memory, bytes)  # a memory-mapped file, say, can still be written to
