"""What CVAT calls "Segmentation mask 1.1": a zip of masks in the colours of a list of labels."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.exports.base import MAKER, Export
from feedseg.io.regions import connected_regions
from feedseg.io.writers.base import png

if TYPE_CHECKING:
    from feedseg.io.results import Results, SavedResult

BACKGROUND = "background"


class CvatExport(Export):
    """`labelmap.txt`, a mask of classes and one of objects for each image, and the list of images.

    Colours are those of PASCAL VOC, which are all different, in the order of the classes; black is the background. A
    class called "background" is the background, too.
    """

    name = "cvat"
    file = "cvat.zip"
    description = "CVAT's segmentation mask 1.1"

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        names, background = results.classes
        numbers = _numbers(names, background)
        colours = voc_colours(max(numbers) + 1)
        labels = {BACKGROUND: (0, 0, 0)} | {names[i]: colours[n].tolist() for i, n in enumerate(numbers) if n}
        lines = [f"{name}:{','.join(map(str, colour))}::\n" for name, colour in labels.items()]
        stems = _stems(results.pictures)
        with ZipFile(path, "w") as archive:
            archive.comment = MAKER
            _add(archive, "labelmap.txt", "".join(["# label:color_rgb:parts:actions\n", *lines]).encode(), ZIP_DEFLATED)
            listed = "".join(f"{stem}\n" for stem in stems).encode(errors="surrogateescape")
            _add(archive, "ImageSets/Segmentation/default.txt", listed, ZIP_DEFLATED)
            for stem, result in zip(stems, results, strict=True):
                classes = np.array(numbers)[result.labels]
                _add(archive, f"SegmentationClass/{stem}.png", png(Image.fromarray(colours[classes])))
                objects = _objects(result, classes)
                shades = voc_colours(int(objects.max()) + 1)
                _add(archive, f"SegmentationObject/{stem}.png", png(Image.fromarray(shades[objects])))


def voc_colours(count: int) -> np.ndarray:
    """PASCAL VOC's colours, (count, 3) uint8 RGB, all different: the index's bits, dealt to the three."""
    index = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def _numbers(names: tuple[str, ...], background: bool) -> list[int]:
    """The number of each class's colour; 0 for the background.

    Raises:
        FeedsegError: a name cannot stand in the list of labels.
    """
    numbers: list[int] = []
    for index, name in enumerate(names):
        if (background and not index) or name == BACKGROUND:
            numbers.append(0)
            continue
        if ":" in name or name.startswith("#"):
            raise FeedsegError(f"CVAT's list of labels cannot hold the class {name!r}: its parts stand between colons")
        numbers.append(max(numbers, default=0) + 1)
    return numbers


def _objects(result: SavedResult, classes: np.ndarray) -> np.ndarray:
    """The number of every pixel's object from 1; 0 for the background."""
    objects = connected_regions(result.labels) if result.regions.connected else classes
    ids, numbers = np.unique(np.where(classes > 0, objects, -1), return_inverse=True)
    return numbers.reshape(classes.shape) + (ids[0] >= 0)


def _stems(pictures: tuple[str, ...]) -> list[str]:
    """The images' names without their endings.

    Raises:
        FeedsegError: two differ in the ending alone, by which CVAT does not tell them apart.
    """
    found: dict[str, str] = {}
    for picture in pictures:
        stem = str(PurePosixPath(picture).with_suffix(""))
        if stem in found:
            raise FeedsegError(f"CVAT does not tell {found[stem]} from {picture}: it goes by names without endings")
        found[stem] = picture
    return list(found)


def _add(archive: ZipFile, name: str, content: bytes, compression: int = ZIP_STORED) -> None:
    about = ZipInfo(name)  # of 1980, so that the same results are the same bytes
    about.compress_type = compression
    about.external_attr = 0o644 << 16
    archive.writestr(about, content)


EXPORT = CvatExport()
