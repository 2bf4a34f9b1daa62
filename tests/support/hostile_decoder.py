"""Faults of a decoder, in a `sitecustomize`: what an image of a certain width does to the process that decodes it.

And what a video does of a certain name, at its sixth packet.
"""

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
        open(os.environ["FEEDSEG_TEST_HANGING"], "w").close()
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
VIDEOS = """
import av, os, time
class Hostile:
    def __init__(self, container, name):
        self.container, self.name = container, name
    def __getattr__(self, name):
        return getattr(self.container, name)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.container.close()
    def demux(self, *streams):
        for number, packet in enumerate(self.container.demux(*streams)):
            if number == 5 and "crashes" in self.name:
                os.abort()
            if number == 5 and "hangs" in self.name:
                time.sleep(1000)
            yield packet
opened = av.open
def hostile_open(file, mode="r", **options):
    container = opened(file, mode, **options)
    return Hostile(container, os.path.basename(file)) if mode == "r" else container
av.open = hostile_open
"""

RASTERS = """
import os, rasterio
opened = rasterio.open
def hostile_open(path, *arguments, **options):
    if "crashes" in os.path.basename(path):
        os.abort()
    return opened(path, *arguments, **options)
rasterio.open = hostile_open
"""


def install(folder: Path, patch: pytest.MonkeyPatch, program: str = PROGRAM) -> Path:
    """Every Python that is started from now on has such a decoder, by default of images; this one is as it was.

    Returns a file that is there once one hangs.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program, encoding="utf-8")
    patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    patch.setenv("FEEDSEG_TEST_HANGING", str(folder / "hangs"))
    return folder / "hangs"
