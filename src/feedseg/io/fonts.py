"""Fonts for what is written on images: Pillow's own, and one of the system's where its characters do not do."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

# Where Pillow's own font, ASCII alone, does not do: the first of these that the system has and that has the characters.
SYSTEM_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc"),  # Linux
    *("Arial.ttf", "Arial Unicode.ttf", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Kohinoor.ttc"),  # macOS
    *("arial.ttf", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "Nirmala.ttf", "Nirmala.ttc", "LeelawUI.ttf"),  # Windows
)


@lru_cache
def plain_font(size: int) -> FreeTypeFont:
    """Pillow's own font, which every system has."""
    return cast(FreeTypeFont, ImageFont.load_default(size))


@lru_cache
def system_font(file: str, size: int) -> FreeTypeFont | None:
    """One of the system's fonts by its file's name, None if it lacks that."""
    try:
        return ImageFont.truetype(file, size)
    except OSError:
        return None


def font_for(words: str, size: int) -> FreeTypeFont | None:
    """The first font that has all the words' characters; None if no font has."""
    for font in (plain_font(size), *(system_font(file, size) for file in SYSTEM_FONTS if not words.isascii())):
        # A character that a font lacks looks like one that no font has: an empty box.
        if font and _shape(font, "\U0010ffff") not in {_shape(font, c) for c in words if c != " "}:
            return font
    return None


def _shape(font: FreeTypeFont, character: str) -> bytes:
    return bytes(cast(Any, font.getmask(character)))
