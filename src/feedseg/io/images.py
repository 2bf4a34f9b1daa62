"""Reading images in every form that a user may have, and resizing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from feedseg.errors import FeedsegError
from feedseg.io.arrays import frozen, refreeze

if TYPE_CHECKING:
    from torch import Tensor


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

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            hint = "; several images go in as a list" if pixels.ndim == 4 else ""
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


def read_image(image: ImageLike) -> RgbImage:
    """An image from a path, a PIL image or an array (height, width, 3), uint8.

    Files and PIL images are turned upright as their EXIF says; what is transparent lies on white; of an animation the
    first frame counts.

    Raises:
        FeedsegError: the file is missing, unreadable or no image; the array has another shape or type.
    """
    if isinstance(image, RgbImage):
        return image
    if isinstance(image, np.ndarray):
        return RgbImage(image)
    if isinstance(image, Image.Image):
        return RgbImage(_rgb(image, "the image"))
    if not isinstance(image, (str, Path)):
        raise FeedsegError(f"an image is a path, a PIL image or an array, not {type(image).__name__}")
    path = Path(image)
    try:
        with Image.open(path) as opened:
            return RgbImage(_rgb(opened, str(path)), str(path))
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise FeedsegError(f"{path} is a folder, not an image") from error
    except UnidentifiedImageError as error:
        raise FeedsegError(f"{path} is not an image in a known format") from error
    except Image.DecompressionBombError as error:
        raise FeedsegError(f"{path} has too many pixels: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise on damaged files
        raise FeedsegError(f"{path} cannot be read as an image: {error}") from error


def _rgb(image: Image.Image, name: str) -> np.ndarray:
    """Upright RGB pixels, read-only and nobody else's."""
    if min(image.size) < 1:
        raise FeedsegError(f"{name} has no pixels")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        upright = _eight_bits(upright, name)
    elif "A" in upright.getbands() or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    pixels = np.array(upright.convert("RGB"))
    pixels.flags.writeable = False
    return pixels


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Greyscale of 16 bits to 8; Pillow's own conversion would clip everything above 255 to white."""
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise FeedsegError(f"{name} holds numbers outside 0 to 65535, not an image of 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


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
