"""Measures on VOC's development photographs: mIoU of voc20 and voc21, from cached features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import features
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

VOC_NAMES = (
    "aeroplane,bicycle,bird,boat,bottle,bus,car,cat,chair,cow,dining table,dog,horse,motorbike,person,potted plant,"
    "sheep,sofa,train,television"
).split(",")
PROTOCOL_NAMES = (  # what the published evaluations ask for
    "aeroplane,bicycle,bird,ship,bottle,bus,car,cat,chair,cow,table,dog,horse,motorbike,person,pottedplant,"
    "sheep,sofa,train,tvmonitor"
).split(",")
BACKGROUND = (  # twenty words for what is no object of VOC
    "sky,wall,floor,grass,tree,road,water,building,ground,carpet,curtain,window,rock,sand,snow,bush,fence,door,"
    "ceiling,pavement"
).split(",")
PROTOCOL_BACKGROUND = (
    "sky,wall,tree,wood,grass,road,sea,river,mountain,sands,desk,bed,building,cloud,lamp,door,window,wardrobe,"
    "ceiling,shelf,curtain,stair,floor,hill,rail,fence"
).split(",")
VOID = 255

Reader = Callable[[dict[str, Any], Tensor], Tensor]  # features and words' embeddings to patch embeddings (N, E)


def ids(voc: Path, split: str) -> list[str]:
    """The photographs of a split."""
    return (voc / f"ImageSets/Segmentation/{split}.txt").read_text().split()


def mask(voc: Path, name: str) -> Tensor:
    """A photograph's mask: 0 background, 1 to 20 the classes, 255 void."""
    with Image.open(voc / f"SegmentationClass/{name}.png") as opened:
        return torch.from_numpy(np.array(opened)).long()


def labels(cosines: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """The best query of every pixel, (height, width), from the patches' cosines (N, C)."""
    maps = cosines.T.unflatten(-1, grid)[None]
    return interpolate(maps, size=size, mode="bilinear", align_corners=False)[0].argmax(dim=0)


def confusion(predicted: Tensor, target: Tensor, classes: int) -> Tensor:
    """(classes, classes), rows the target's; targets outside are left out."""
    counted = (target >= 0) & (target < classes)
    return torch.bincount(target[counted] * classes + predicted[counted], minlength=classes**2).view(classes, classes)


def ious(matrix: Tensor) -> Tensor:
    """Every class's intersection over union; NaN for one that is in no mask and no prediction."""
    matrix = matrix.double()
    hit = matrix.diag()
    return hit / (matrix.sum(0) + matrix.sum(1) - hit)


def evaluate(
    reader: Reader,
    store: dict[str, dict[str, Any]],
    masks: dict[str, Tensor],
    words: Tensor,
    background: Tensor | None = None,
) -> Tensor:
    """Confusion over photographs: 20 classes, or 21 with the background first if words for it are given."""
    queries = words if background is None else torch.cat((words, background))
    total = torch.zeros(20 + (background is not None), 20 + (background is not None), dtype=torch.long)
    for name, stored in store.items():
        found = labels(
            reader(stored, queries) @ queries.T, stored["grid"], (masks[name].shape[0], masks[name].shape[1])
        )
        if background is None:
            total += confusion(found, masks[name] - 1, 20)
        else:
            found = torch.where(found < 20, found + 1, 0)
            total += confusion(found, masks[name], 21)
    return total


def miou(matrix: Tensor) -> float:
    """Mean IoU in per cent over the classes that occur."""
    return float(ious(matrix).nanmean()) * 100


def open_store(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The cached features of photographs, by name."""
    return {name: features.load(folder, name) for name in names}
