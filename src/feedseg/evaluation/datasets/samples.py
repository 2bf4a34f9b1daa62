"""Images with their true segmentation, from every benchmark's own layout of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import Benchmark
from feedseg.evaluation.datasets.check_mistakes import missing_files
from feedseg.evaluation.datasets.findings import refuse
from feedseg.evaluation.datasets.layout import image_of, list_ids, mask_of, root_of
from feedseg.evaluation.datasets.masks import IGNORED, MaskValues, different_sizes, read_mask, wrong_values
from feedseg.evaluation.datasets.scenes import SceneSample
from feedseg.evaluation.datasets.stored import as_stored
from feedseg.io.decoders import opened_image
from feedseg.io.images import RgbImage, read_image
from feedseg.io.isolated import decoded_image
from feedseg.io.reading import HERE, FileReader

if TYPE_CHECKING:
    from feedseg.io.decoding import Answer

__all__ = ["IGNORED", "FileSample", "Sample", "find_samples", "read_stored"]


class Sample(Protocol):
    """An image and its target; cheap until it is read, and fit for other processes."""

    @property
    def name(self) -> str: ...

    @property
    def sizes(self) -> tuple[int, ...]:
        """How large its files are, bytes: with the name they tell which image it is. () where it is drawn."""
        ...

    def read(self, reader: FileReader = HERE) -> tuple[RgbImage, np.ndarray]:
        """The image, and the class of every pixel, (height, width), int32, IGNORED where it does not count.

        Its files are read by `reader`. Raises FeedsegError, naming the file, if a file cannot be used.
        """
        ...


@dataclass(frozen=True)
class FileSample:
    """An image and a mask that lie on the disk."""

    name: str
    image: Path
    mask: Path
    values: MaskValues
    sizes: tuple[int, int]  # of the image's and the mask's file when they were found, bytes

    def read(self, reader: FileReader = HERE) -> tuple[RgbImage, np.ndarray]:
        """See `Sample`."""
        image, values = read_stored(self.image, reader), read_mask(self.mask, reader)
        if image.size != values.shape:
            raise FeedsegError(different_sizes(self.image, self.mask, image.size, values.shape))
        if wrong := self.values.unknown(values):
            raise FeedsegError(f"{self.mask} {wrong_values(wrong, self.values)}")
        return image, self.values.target(values)


def find_samples(benchmark: Benchmark, root: Path | None, limit: int | None = None) -> list[Sample]:
    """The samples of a benchmark, in the order of its split, or by name.

    Args:
        benchmark: which one.
        root: the folder that its paths stand below. None: beside a user's own file; a drawn benchmark has none.
        limit: no more than the first so many.

    Raises:
        FeedsegError: there is no root; the split, the images, or an image or mask of a sample are not there.
    """
    if limit is not None and limit < 1:
        raise FeedsegError(f"the limit is at least one image, not {limit}")
    if benchmark.is_drawn:
        names = tuple(words[0] for words in benchmark.classes)
        count = benchmark.count or 0
        return [SceneSample(index, names) for index in range(min(count, limit or count))]
    folder = root_of(benchmark, root)
    advice = f"`feedseg data check {benchmark.file or benchmark.name} {folder}` says more"
    try:
        ids = list_ids(benchmark, folder)[:limit]
    except FeedsegError as error:
        raise FeedsegError(f"{error}; {advice}") from error
    values = MaskValues.of(benchmark)
    images, masks = ([path(benchmark, folder, one) for one in ids] for path in (image_of, mask_of))
    refuse(missing_files(benchmark, folder, ids), advice)
    return [
        FileSample(one, image, mask, values, (image.stat().st_size, mask.stat().st_size))
        for one, image, mask in zip(ids, images, masks, strict=True)
    ]


def read_stored(path: Path, reader: FileReader = HERE) -> RgbImage:
    """An image as it is stored, whatever orientation its EXIF gives.

    Masks are drawn upon the stored grid of pixels and have no EXIF of their own, so turning the image would part
    the two.

    Raises:
        FeedsegError: it is missing, unreadable, no image or beyond the reader's limits.
    """
    return decoded_image(reader(decode_stored, path), str(path))


def decode_stored(file: BinaryIO, name: str, max_pixels: int) -> Answer:
    """The pixels of an open image as they are stored, and notes; see `feedseg.io.reading.FileReader`."""
    with opened_image(file, name, max_pixels) as image:
        try:
            found = read_image(as_stored(image))
        except FeedsegError as error:
            raise FeedsegError(f"{name}: {error}") from error
    return {"notes": found.notes}, found.pixels
