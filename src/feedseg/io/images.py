"""Reading pictures of every kind a user may have, and resizing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from feedseg.errors import FeedsegError


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels (height, width, 3), uint8, RGB, upright; and the file they came from, if any."""

    pixels: np.ndarray
    source: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.pixels.shape[0], self.pixels.shape[1]


PictureLike = str | Path | Image.Image | np.ndarray | Picture


def read_picture(picture: PictureLike) -> Picture:
    """A picture from a path, a PIL image or an array (height, width, 3), uint8.

    Files and images are turned upright as their EXIF says; what is transparent lies on white; of an animation the first
    frame counts.

    Raises:
        FeedsegError: the file is missing, unreadable or no picture; the array has another shape or type.
    """
    if isinstance(picture, Picture):
        return picture
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            hint = "; several pictures go in as a list" if picture.ndim == 4 else ""
            raise FeedsegError(
                f"an array must be a picture of height × width × 3, uint8, not {picture.shape} of {picture.dtype}{hint}"
            )
        return Picture(picture)
    if isinstance(picture, Image.Image):
        return Picture(_rgb(picture, "the image"))
    if not isinstance(picture, (str, Path)):
        raise FeedsegError(f"a picture is a path, a PIL image or an array, not {type(picture).__name__}")
    path = Path(picture)
    try:
        with Image.open(path) as image:
            return Picture(_rgb(image, str(path)), str(path))
    except FileNotFoundError as error:
        raise FeedsegError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise FeedsegError(f"{path} is a folder, not a picture") from error
    except UnidentifiedImageError as error:
        raise FeedsegError(f"{path} is not a picture in a known format") from error
    except Image.DecompressionBombError as error:
        raise FeedsegError(f"{path} has too many pixels: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise on damaged files
        raise FeedsegError(f"{path} cannot be read as a picture: {error}") from error


def _rgb(image: Image.Image, name: str) -> np.ndarray:
    if min(image.size) < 1:
        raise FeedsegError(f"{name} has no pixels")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
        upright = _eight_bits(upright, name)
    elif "A" in upright.getbands() or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.array(upright.convert("RGB"))


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Greyscale of 16 bits to 8; Pillow's own conversion would clip everything above 255 to white."""
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise FeedsegError(f"{name} holds numbers outside 0 to 65535, not a picture of 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def fitted_size(size: tuple[int, int], short_side: int, max_long_side: int, multiple: int = 1) -> tuple[int, int]:
    """Height and width with the short side as given, the long side bounded, the shape kept.

    With `multiple`, each side is rounded to a multiple of it instead of to whole pixels.
    """
    scale = min(short_side / min(size), max_long_side / max(size))
    height, width = (max(1, int(side * scale / multiple + 0.5)) * multiple for side in size)
    return height, width


def resized(picture: Picture, size: tuple[int, int]) -> Tensor:
    """RGB in [0, 1], (3, height, width), resized bicubically, antialiased."""
    height, width = size
    image = Image.fromarray(picture.pixels)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255)


RgbImage = Picture
ImageLike = PictureLike
read_image = read_picture
