"""Reading images in every form that a user may have, and resizing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from feedseg.errors import FeedsegError, brief, first_line, warn_user
from feedseg.io.arrays import frozen, refreeze
from feedseg.io.brightness import Stored, colours, grey
from feedseg.io.decoders import open_regular, opened_image
from feedseg.io.limits import FileLimits

if TYPE_CHECKING:
    from torch import Tensor

MAX_PIXELS = FileLimits.pixels  # of a file, unless asked otherwise


@dataclass(frozen=True, eq=False)
class RgbImage:
    """An image in memory, upright.

    The pixels are read-only and the image's own: an array that is changed later changes nothing here (see
    `feedseg.io.arrays.frozen`).

    Raises:
        FeedsegError: the pixels have another shape or type.
    """

    pixels: np.ndarray  # (height, width, 3), uint8, RGB
    source: str | None = None  # the file they came from, if any
    notes: tuple[str, ...] = ()  # what was done to its numbers

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            hints = {4: "; several images go in as a list", 2: "; PIL.Image.fromarray(array) is read as greyscale"}
            hint = hints.get(pixels.ndim, "")
            raise FeedsegError(
                f"an array must be an image of height × width × 3, uint8, not {pixels.shape} of {pixels.dtype}{hint}"
            )
        object.__setattr__(self, "pixels", frozen(pixels))

    def __setstate__(self, state: dict[str, Any]) -> None:
        refreeze(state)
        self.__dict__.update(state)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]


ImageLike = str | Path | Image.Image | np.ndarray | RgbImage


def read_image(image: ImageLike, *, max_pixels: int = MAX_PIXELS) -> RgbImage:
    """An image from a path, a PIL image or an array (height, width, 3), uint8.

    Files and PIL images are turned upright as their EXIF says; what is transparent lies on white; of an animation the
    first frame counts; of greyscale of more than 8 bits the range that its numbers need.

    Args:
        image: what to read.
        max_pixels: a file with more is refused before it is decoded.

    Raises:
        FeedsegError: the file is missing, unreadable, no image or too large; the array has another shape or type.
    """
    if isinstance(image, RgbImage):
        return image
    if isinstance(image, np.ndarray):
        return RgbImage(image)
    if isinstance(image, Image.Image):
        try:
            return _read(image, "the image")
        except (FeedsegError, MemoryError):
            raise
        except Exception as error:  # its file is damaged, or closed
            raise FeedsegError(f"the image cannot be decoded: {first_line(error)}") from error
    if not isinstance(image, (str, Path)):
        raise FeedsegError(f"an image is a path, a PIL image or an array, not {type(image).__name__}")
    if "\0" in str(image):
        raise FeedsegError(f"an image's path has no null character, as {brief(str(image))} has")
    path = Path(image)
    with open_regular(path) as file:
        return decode_image(file, str(path), max_pixels)


def decode_image(file: BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> RgbImage:
    """The image of an open file; `name` is what errors and the image's source call it. See `read_image`."""
    with opened_image(file, name, max_pixels) as opened:
        return _read(opened, name, name)


def _read(image: Image.Image, name: str, source: str | None = None) -> RgbImage:
    """Upright RGB pixels, read-only and nobody else's; what is to be said of them is told, too."""
    if min(image.size) < 1:
        raise FeedsegError(f"{name} has no pixels")
    stored, note = Stored.of(image, name), None
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        upright, note = grey(upright, stored, name)
    elif stored.deep_colours:
        upright, note = colours(upright, name)
    if "A" in upright.getbands() or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    pixels = np.array(upright.convert("RGB"))
    pixels.flags.writeable = False
    if note:
        warn_user(note)
    return RgbImage(pixels, source, (note,) if note else ())


def fitted_size(size: tuple[int, int], short_side: int, max_long_side: int, multiple: int = 1) -> tuple[int, int]:
    """Height and width with the short side as given, the long side bounded, the shape kept.

    With `multiple`, each side is rounded to a multiple of it instead of to whole pixels.
    """
    scale = min(short_side / min(size), max_long_side / max(size))
    height, width = (max(1, int(side * scale / multiple + 0.5)) * multiple for side in size)
    return height, width


def resized(image: RgbImage, size: tuple[int, int]) -> Tensor:
    """RGB in [0, 1], (3, height, width), fp32, resized bicubically, antialiased."""
    import torch  # here, so that reading images needs no torch

    height, width = size
    shown = Image.fromarray(image.pixels)
    if shown.size != (width, height):
        shown = shown.resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(shown)).permute(2, 0, 1).float().div_(255)
