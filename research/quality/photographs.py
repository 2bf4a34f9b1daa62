"""A folder with a manifest and photographs with masks in PASCAL VOC's layout, as the programs here read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

VOC = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor"
).split()
VOID = 255
THRESHOLDS = np.arange(0.0, 0.96, 0.025)  # below which a pixel is background; the best one is reported


def need(root: Path) -> None:
    """End the program with a message unless the folder is there."""
    if not (root / "feedseg.json").is_file():
        raise SystemExit(f"{root} is not there: this program needs its photographs and weights")


def listed(root: Path, split: str) -> list[str]:
    """The photographs of a split, "train" or "val", in its order."""
    return (root / f"VOC2012/ImageSets/Segmentation/{split}.txt").read_text().split()


def image_path(root: Path, name: str) -> Path:
    """Where a photograph is."""
    return root / f"VOC2012/JPEGImages/{name}.jpg"


def target_of(root: Path, name: str) -> np.ndarray:
    """A photograph's mask, (height, width), uint8: 0 background, 1 to 20 the classes of `VOC`, 255 void."""
    return np.array(Image.open(root / f"VOC2012/SegmentationClass/{name}.png"))
