"""Faults of a decoder, in a `sitecustomize`: what an image of a certain width does to the process that decodes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CRASHES, HANGS, EATS, LEAVES = 13, 14, 15, 16  # widths
PROGRAM = f"""
import os, time
from PIL.PngImagePlugin import PngImageFile
load = PngImageFile.load
def hostile(self):
    if self.width == {CRASHES}:
        os.abort()
    if self.width == {HANGS}:
        time.sleep(1000)
    if self.width == {EATS}:
        eaten = []
        while True:
            eaten.append(bytearray(1 << 28))
    if self.width == {LEAVES}:
        os._exit(3)
    return load(self)
PngImageFile.load = hostile
"""


def install(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Every Python that is started from now on has such a decoder; this one is as it was."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(PROGRAM, encoding="utf-8")
    patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
