"""Miniature copies of every data set, in the layout that its download or its usual preparation has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 9, 12


@dataclass(frozen=True)
class Layout:
    """Where the files of a data set are, and what the values of its masks mean: -1 for what does not count."""

    root: str  # of the benchmark, below the folder of the download
    images: str
    masks: str
    split: str | None
    ids: tuple[str, ...]  # in the order of the samples
    mode: str  # of the masks: P with a palette, L, I;16
    meaning: Mapping[int, int]
    names: tuple[str, str] | None = None  # a file of names and its text


_VOC = ("VOCdevkit/VOC2012", "JPEGImages/{}.jpg", "SegmentationClass/{}.png", "ImageSets/Segmentation/val.txt")
_CONTEXT = (
    "VOCdevkit/VOC2010",
    "JPEGImages/{}.jpg",
    "SegmentationClassContext/{}.png",
    "ImageSets/SegmentationContext/val.txt",
)
_VOC_IDS = ("2007_000033", "2011_003271", "2008_000002")  # not sorted: the split's order counts
_COCO_IDS = ("000000000139", "000000000285", "000000000632")
_CITIES = ("frankfurt/frankfurt_000000_000294", "lindau/lindau_000001_000019", "munster/munster_000002_000019")
_ADE_IDS = ("ADE_val_00000001", "ADE_val_00000002", "ADE_val_00000003")

LAYOUTS: dict[str, Layout] = {
    "voc21": Layout(*_VOC, _VOC_IDS, "P", {0: 0, 1: 1, 15: 15, 20: 20, 255: -1}),
    "voc20": Layout(*_VOC, _VOC_IDS, "P", {0: -1, 1: 0, 15: 14, 20: 19, 255: -1}),
    "context60": Layout(*_CONTEXT, _VOC_IDS, "L", {0: 0, 1: 1, 31: 31, 59: 59, 255: -1}),
    "context59": Layout(*_CONTEXT, _VOC_IDS, "L", {0: -1, 1: 0, 31: 30, 59: 58, 255: -1}),
    "coco-object": Layout(
        "coco_object",
        "images/val2017/{}.jpg",
        "annotations/val2017/{}_instanceTrainIds.png",
        None,
        _COCO_IDS,
        "L",
        {0: 0, 1: 1, 60: 60, 80: 80},
    ),
    "coco-stuff": Layout(
        "coco_stuff164k",
        "images/val2017/{}.jpg",
        "annotations/val2017/{}_labelTrainIds.png",
        None,
        _COCO_IDS,
        "L",
        {0: 0, 80: 80, 170: 170, 255: -1},
    ),
    "cityscapes": Layout(
        "cityscapes",
        "leftImg8bit/val/{}_leftImg8bit.png",
        "gtFine/val/{}_gtFine_labelTrainIds.png",
        None,
        _CITIES,
        "L",
        {0: 0, 10: 10, 18: 18, 255: -1},
    ),
    "ade20k": Layout(
        "ADEChallengeData2016",
        "images/validation/{}.jpg",
        "annotations/validation/{}.png",
        None,
        _ADE_IDS,
        "L",
        {0: -1, 1: 0, 75: 74, 150: 149},
    ),
    "ade20k-847": Layout(
        "ADE20K_2021_17_01",
        "images_detectron2/validation/{}.jpg",
        "annotations_detectron2/validation/{}.tif",
        None,
        _ADE_IDS,
        "I;16",
        {0: 0, 255: 255, 256: 256, 846: 846, 65535: -1},
        ("names.txt", "".join(f"thing {number}, item {number}\n" for number in range(847))),
    ),
    "context459": Layout(
        "VOCdevkit/VOC2010",
        "JPEGImages/{}.jpg",
        "annotations_detectron2/pc459_val/{}.tif",
        "pascalcontext_val.txt",
        _VOC_IDS,
        "I;16",
        {0: 0, 255: 255, 256: 256, 458: 458},
        ("labels.txt", "".join(f"{number}: thing {number}\n" for number in range(1, 460))),
    ),
}


def save_picture(path: Path, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH), orientation: int = 1) -> Path:
    """A picture of noise of a height and width, as its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    image.save(path, exif=exif)
    return path


def save_mask(path: Path, values: np.ndarray, mode: str = "L") -> Path:
    """A mask with these values. With a palette the colours say nothing about the numbers, as in VOC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8))
    if mode == "P":
        image.putpalette(np.random.default_rng(5).integers(0, 256, 768, np.uint8).tobytes())
    image.save(path)
    return path


def values_with(values: tuple[int, ...] | Mapping[int, Any], seed: int = 0) -> np.ndarray:
    """(HEIGHT, WIDTH), all of the values and no others, each at least once."""
    rng = np.random.default_rng(seed)
    array = rng.choice(list(values), HEIGHT * WIDTH)
    array[: len(values)] = list(values)
    return array.reshape(HEIGHT, WIDTH)


def draw(name: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Draw a data set: its root, and the values of every mask by id."""
    layout = LAYOUTS[name]
    root = folder / layout.root
    masks = {}
    for seed, one in enumerate(layout.ids):
        save_picture(root / layout.images.format(one), seed)
        masks[one] = values_with(layout.meaning, seed)
        save_mask(root / layout.masks.format(one), masks[one], layout.mode)
    if layout.split is not None:
        split = root / layout.split
        split.parent.mkdir(parents=True, exist_ok=True)
        split.write_text("".join(f"{one}\n" for one in layout.ids))
    if layout.names is not None:
        (root / layout.names[0]).write_text(layout.names[1])
    return root, masks


RAW_COCO = (0, 10, 12, 89, 91, 181, 255)  # values of COCO-Stuff's pixel maps
RAW_CITY = (0, 1, 7, 11, 26, 33)  # labelIds


def draw_raw(name: str, folder: Path) -> dict[str, Path]:
    """The masks as downloaded, by id, of "coco-stuff", "coco-object" or "cityscapes"."""
    paths = {}
    for seed, one in enumerate(_CITIES if name == "cityscapes" else _COCO_IDS):
        if name == "cityscapes":
            paths[one] = folder / f"gtFine/val/{one}_gtFine_labelIds.png"
            save_mask(paths[one], values_with(RAW_CITY, seed))
        else:
            paths[one] = folder / f"val2017/{one}.png"
            save_mask(paths[one], values_with(RAW_COCO, seed))
    return paths


def draw_detail(path: Path, pictures: Mapping[str, list[tuple[int, Any]]], phase: str = "val") -> Path:
    """PASCAL in Detail's JSON: for every picture the regions, each a category id and a segmentation."""
    categories = [{"category_id": 2, "name": "aeroplane"}, {"category_id": 458, "name": "wood"}]
    images, annotations = [], []
    for number, (name, regions) in enumerate(pictures.items(), start=2008000000):
        images.append(
            {"image_id": number, "file_name": f"{name}.jpg", "phase": phase, "height": HEIGHT, "width": WIDTH}
        )
        for category, segmentation in regions:
            annotations.append({"image_id": number, "category_id": category, "segmentation": segmentation})
    images.append({"image_id": 1, "file_name": "a.jpg", "phase": "train", "height": 1, "width": 1})
    annotations.append({"image_id": 1, "category_id": 2, "segmentation": {"size": [1, 1], "counts": "nonsense"}})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annos_segmentation": annotations, "categories": categories}))
    return path
