"""Numbers of more than 8 bits as brightness: by the range that a file's own numbers need, which is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError

_DEPTHS = (8, 10, 12, 14, 16)  # bits in which brightness is stored, whatever the number type has room for
_LEAST_SHADES = 5  # bits of a colour, below which too few are left of it
_STRIP = 1 << 20  # numbers that are converted at a time
_BITS, _PHOTOMETRIC, _FORMAT = 258, 262, 339  # tags of a TIFF
_WHITE_IS_ZERO, _YCBCR = 0, 6
_UNSIGNED, _SIGNED = 1, 2


@dataclass(frozen=True)
class Stored:
    """What a file says of its numbers, which is lost when Pillow has decoded it."""

    deep_colours: bool = False  # of 16 bits, of which Pillow keeps the upper eight
    short: bool = False  # of 16 bits, one of which is the sign
    unsigned: bool = False  # of 32 bits, which Pillow takes for signed
    white_is_zero: bool = False  # which Pillow minds in 8 bits only

    @classmethod
    def of(cls, image: Image.Image, name: str) -> Stored:
        """Of an image that is opened, and not decoded yet. Raises FeedsegError where Pillow would misread it."""
        tags: Any = getattr(image, "tag_v2", {})
        tiles: list[Any] = getattr(image, "tile", [])
        depth = tags.get(_BITS, (0,))[0]
        signs = tags.get(_FORMAT, (_UNSIGNED,))[0]
        if tags.get(_PHOTOMETRIC) == _YCBCR and any(tile[0] == "raw" for tile in tiles):
            raise FeedsegError(f"{name} is an uncompressed TIFF of YCbCr, which is not read: convert it to RGB or PNG")
        if depth == 8 and signs == _SIGNED:
            raise FeedsegError(f"{name} holds signed numbers of 8 bits, which is no brightness: convert it")
        return cls(
            deep_colours=image.mode in ("RGB", "RGBA", "RGBX", "CMYK") and any(";16" in str(tile[3]) for tile in tiles),
            short=depth == 16 and signs == _SIGNED,
            unsigned=depth == 32 and signs == _UNSIGNED,
            white_is_zero=tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO,
        )


def grey(image: Image.Image, stored: Stored, name: str) -> tuple[Image.Image, str | None]:
    """Greyscale of whole numbers or fractions as 8 bits, and what is to be said of it.

    Pillow's own conversion would clip everything above 255 to white, and fractions to black.

    Raises:
        FeedsegError: the numbers are no brightness.
    """
    values = np.asarray(image)
    if stored.unsigned and values.dtype == np.int32:
        values = values.view(np.uint32)
    least, most = values.min().item(), values.max().item()
    if not 0 <= least <= most < float("inf"):  # neither is true of what is no number
        raise FeedsegError(f"{name} holds {least:g} to {most:g}, which is no brightness: convert it to 8 or 16 bits")
    if values.dtype.kind == "f" and most <= 1:
        white, note = 1.0, f"fractions up to {most:.3g}: 0 is black and 1 white"
    else:
        depths = (*_DEPTHS[:-1], 15) if stored.short else _DEPTHS
        bits = next((bits for bits in depths if most < 1 << bits), int(most).bit_length())
        if bits > 32:
            raise FeedsegError(
                f"{name} holds numbers up to {most:g}, which is no brightness: convert it to 8 or 16 bits"
            )
        white = float((1 << bits) - 1)
        note = None if bits == 16 else f"numbers up to {most:g}: read as {bits} bits, with {white:.0f} as white"
    shown = np.empty(values.shape, np.uint8)
    rows = max(1, _STRIP // values.shape[1])
    for start in range(0, len(values), rows):
        strip = values[start : start + rows]
        if stored.white_is_zero:
            strip = white - strip
        shown[start : start + rows] = _shades(strip, white)
    return Image.fromarray(shown), note and f"{name} holds {note}"


def _shades(values: np.ndarray, white: float) -> np.ndarray:
    """Numbers up to `white` as 0 to 255: the upper eight bits of whole numbers."""
    if white <= 1:
        return np.rint(values * 255)
    return np.rint(values).astype(np.int64) >> (int(white).bit_length() - 8)


def colours(image: Image.Image, name: str) -> tuple[Image.Image, str | None]:
    """Colours of which Pillow has kept the upper 8 of 16 bits, brighter if the file has but 14, and what to say of it.

    Raises:
        FeedsegError: what Pillow has left of them are too few shades.
    """
    if image.mode == "CMYK":  # ink: what is missing there is light
        return image, None
    most = max(int(band[1]) for band in image.getextrema()[:3])  # type: ignore[index]
    bits = most.bit_length()
    if most == 0 or bits >= 7:
        return image, None
    if bits < _LEAST_SHADES:
        raise FeedsegError(
            f"{name} holds colours of {8 + bits} bits in numbers of 16, of which too few shades would be left: convert "
            "it to 8 bits"
        )
    table = [min(255, value << 2 | value >> 4) for value in range(256)]
    same = list(range(256))
    brightened = image.point(table * 3 + (same if image.mode in ("RGBA", "RGBX") else []))
    return brightened, f"{name} holds colours of up to {8 + bits} bits: read as 14 bits, with 16383 as white"
