"""What an image's file holds, before anything that Pillow or a viewer would make of it.

Pillow turns TIFF files as their orientation says, stretches greyscale of 2 and 4 bits and portable maps to 8 or 16
bits, and turns white-is-zero files over. In a photograph that is right; in a mask it makes other classes.
"""

from __future__ import annotations

import re

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Exif
from PIL.TiffImagePlugin import TiffImageFile

LOSSLESS = ("PNG", "TIFF", "BMP", "DIB", "GIF", "PPM")  # Pillow's names of formats that give back what was put in
LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp", "tiff_sgilog", "tiff_sgilog24")  # compressions that may not
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # by the orientation that Pillow followed
_SIDEWAYS = (5, 6, 7, 8)
_GREY = re.compile(r"(1|L)(?:;([24])?(I)?R?)?")  # Pillow's names of grey pixels: bits, turned over or not
_TURNING = ("exif", "XML:com.adobe.xmp", "xmp", "Raw profile type exif")  # where an orientation may stand


def orientation(image: Image.Image) -> int:
    """What an image that was not loaded yet says of its orientation, 1 to 8; 1 where it says nothing."""
    told = image.getexif().get(Exif.Orientation)
    return told if isinstance(told, int) and 1 <= told <= 8 else 1


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Height and width as stored, of an image that was not loaded yet."""
    width, height = image.size
    # Pillow turns the size as the TIFF's own tag says, and not as its XMP does, though it turns the pixels then, too.
    turned = isinstance(image, TiffImageFile) and image.tag_v2.get(Exif.Orientation) in _SIDEWAYS
    return (width, height) if turned else (height, width)


def as_stored(image: Image.Image) -> Image.Image:
    """The image with its rows and columns as the file has them, and without its orientation."""
    turned = orientation(image)
    image.load()
    plain = image.transpose(_BACK[turned]) if image.format == "TIFF" and turned in _BACK else image.copy()
    for key in _TURNING:
        plain.info.pop(key, None)
    return plain


def fault_of_mask(image: Image.Image) -> str:
    """Why an image that was not loaded yet can be no mask, or nothing."""
    if image.format not in LOSSLESS or image.info.get("compression") in LOSSY_TIFF:
        how = f"{image.format} file" if image.format != "TIFF" else f"TIFF with {image.info['compression']} compression"
        return (
            f"is a {how}, which changes numbers to save space: masks are PNG, TIFF, BMP, GIF or PGM files; take the "
            "originals, since numbers that were changed cannot be restored"
        )
    if getattr(image, "n_frames", 1) > 1:
        return f"has {getattr(image, 'n_frames', 1)} pages, and a mask is one image"
    if image.mode == "F":
        return "holds fractions (F) instead of a class number a pixel"
    if image.mode not in ("P", "L", "1") and not image.mode.startswith("I"):
        return f"holds colours ({image.mode}) instead of a class number a pixel: masks are indexed or grey images"
    return ""


def stored_numbers(image: Image.Image) -> np.ndarray:
    """The numbers of an indexed or grey image that was not loaded yet, (height, width), as stored.

    An index is not looked up in the palette; greyscale of fewer bits is not stretched; what is white at zero is not
    turned over. Of the type that Pillow gives them, or uint8 for one bit.
    """
    tile = image.tile[0]  # pyright: ignore[reportAttributeAccessIssue] -- files have it, images need not
    arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
    values = np.asarray(as_stored(image))
    form = arguments[0] if arguments and isinstance(arguments[0], str) else ""
    if image.format == "PPM" and len(arguments) == 2:
        most = 65535 if image.mode == "I" else 255
        return np.rint(values * (arguments[1] / most)).astype(values.dtype)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if image.mode not in ("1", "L") or (match := _GREY.fullmatch(form)) is None:
        return values
    bits = 1 if match[1] == "1" else int(match[2] or 8)
    largest = (1 << bits) - 1
    unstretched = values // (255 // largest) if match[1] == "L" else values
    return largest - unstretched if match[3] else unstretched
