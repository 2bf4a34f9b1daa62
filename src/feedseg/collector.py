"""Python's collector of cycles kept from what it cannot free, which is a fifth of what a first result takes.

For processes of this package: whoever imports it decides about their own.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """For imports of much: modules stay, and the collector looks through them neither as they come nor later."""
    was_on, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:  # or there is nothing new to look through
            gc.freeze()
        if was_on:
            gc.enable()


def leave_to_system() -> None:
    """For the end of a process: Python would look through all that is left, which the system frees at once."""
    gc.freeze()
