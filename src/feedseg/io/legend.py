"""What the classes of a picture are called and look like, and the legend that says so."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw
from PIL.ImageFont import FreeTypeFont

from feedseg.io.fonts import font_for, plain_font
from feedseg.io.palette import Colour
from feedseg.io.patterns import swatch

_PAPER, _INK, _PALE_INK = (255, 255, 255), (32, 34, 38), (120, 124, 130)
_NOTE_LINES = 3  # at most, of what was not found, below the image
_NOTE_ROWS = 8  # the same beside it, where lines are short
Line = list[tuple[str, FreeTypeFont]]


@dataclass(frozen=True)
class Words:
    """Words with the font that they are written in."""

    text: str
    font: FreeTypeFont

    @classmethod
    def of(cls, name: str, index: int, size: int) -> Words:
        """A class's name, or its index where no font has the name's characters."""
        text = " ".join(name.split())
        if (font := font_for(text, size)) is None:
            return cls(f"#{index}", plain_font(size))
        return cls(text, font)

    @property
    def width(self) -> float:
        """In pixels."""
        return self.font.getlength(self.text)

    def cut(self, width: float) -> str:
        """As much of the words as goes into so many pixels."""
        if self.width <= width:
            return self.text
        short = [self.text[:n].rstrip() + "…" for n in range(len(self.text))]
        return short[max(bisect_right(short, width, key=self.font.getlength) - 1, 0)]


@dataclass(frozen=True)
class Found:
    """A class that occurs, as it is drawn."""

    words: Words
    colour: Colour
    pattern: str
    fraction: float  # of the image's area


def percent(fraction: float) -> str:
    """A fraction of the area, as it is written: "12.5%", or "<0.1%" for what is there, but hardly."""
    return f"{fraction:.1%}" if fraction >= 0.0005 else "<0.1%"


def with_legend(
    drawn: Image.Image, found: Sequence[Found], missing: Sequence[tuple[int, str]], size: int
) -> Image.Image:
    """The drawing on a sheet with a swatch, name and area fraction of each class that occurs, and what was not found.

    The legend is below the drawing, or beside a tall one.

    Args:
        drawn: RGB.
        found: in the order in which they are listed.
        missing: the classes that do not occur, index and name: as many are named as there is room for.
        size: of the letters, in pixels.
    """
    name = round(min(max(one.words.width for one in found), 15 * size))
    row, column = round(1.7 * size), name + 9 * size  # swatch 1, gap 0.6, name, gap 1, fraction 4, gap 2.4
    wide, high = drawn.size
    beside = high > 2 * wide
    if beside:
        rows = max(1, (high - 2 * size) // row)
        note = _note(missing, size, max(column - 2.4 * size, 12 * size), min(_NOTE_ROWS, rows))
        column = max(column, round(14.4 * size)) if note else column
        columns = math.ceil((len(found) + len(note)) / rows)
        sheet = Image.new("RGB", (wide + size + columns * column, high), _PAPER)
        left, top = wide + 2 * size, size
    else:
        rows = math.ceil(len(found) / max(1, wide // column))
        note = _note(missing, size, wide - 2 * size, _NOTE_LINES)
        sheet = Image.new("RGB", (wide, high + (rows + len(note)) * row + 2 * size), _PAPER)
        left, top = size, high + size
    sheet.paste(drawn)
    draw = ImageDraw.Draw(sheet)
    for entry, one in enumerate(found):
        x, middle = left + entry // rows * column, top + (entry % rows + 0.5) * row
        base = middle + 0.36 * size
        corner = x, round(middle - size / 2)
        sheet.paste(swatch(one.colour, one.pattern, size), corner, _rounded(size))
        draw.text((x + 1.6 * size, base), one.words.cut(name), _INK, one.words.font, "ls")
        draw.text((x + 6.6 * size + name, base), percent(one.fraction), _PALE_INK, plain_font(size), "rs")
    for number, line in enumerate(note):
        entry = len(found) + number
        x, below = (left + entry // rows * column, entry % rows) if beside else (left, rows + number)
        for text, font in line:
            draw.text((x, top + (below + 0.5) * row + 0.36 * size), text, _PALE_INK, font, "ls")
            x += font.getlength(text)
    return sheet


def _rounded(size: int) -> Image.Image:
    mask = Image.new("L", (size, size), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size - 1, size - 1), size / 4, 255)
    return mask


def _note(missing: Sequence[tuple[int, str]], size: int, width: float, lines: int) -> list[Line]:
    """What was not found, on so many lines at most: names, and of those that find no room the number."""
    if not missing:
        return []
    plain = plain_font(size)
    note: list[Line] = [[("not found: ", plain)]]
    used = plain.getlength("not found: ")
    for position, (index, name) in enumerate(missing):
        left = len(missing) - position
        rest = f"and {left} more"
        words = Words.of(name, index, size)
        # The names that follow need no more room than their number, or else the number is what is written.
        reserved = plain.getlength(f", and {left} more") if left > 1 and len(note) == lines else 0
        text = words.cut(min(15 * size, width - plain.getlength(", ")))
        comma = ", " if left > 1 else ""
        needed = words.font.getlength(text) + plain.getlength(comma.rstrip())
        if used + needed + reserved > width:
            if len(note) == lines:
                if note[-1] == [("not found: ", plain)]:  # no room for any: their number alone
                    return [[(f"{left} not found", plain)]]
                note[-1].append((rest, plain))
                return note
            note.append([])
            used = 0.0
        note[-1] += [(text, words.font)] + ([(comma, plain)] if comma else [])
        used += words.font.getlength(text) + plain.getlength(comma)
    return note
