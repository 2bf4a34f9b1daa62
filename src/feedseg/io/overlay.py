"""Label maps as images for people: colours over the photograph, outlines, names, a legend."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from PIL.ImageFont import FreeTypeFont

from feedseg.io.fonts import font_for, plain_font
from feedseg.io.palette import palette
from feedseg.io.regions import class_areas, connected_regions, region_depths

# Images are drawn with their long side between these, in pixels: smaller ones are enlarged by a whole factor, so that
# names fit in and the pixels stay square, larger ones reduced, since nobody looks at more and PNGs of them are huge.
_SMALLEST, _LARGEST = 640, 1600
_TINT = 0.55  # how much of a foreground pixel is its class's colour; the rest is the photograph
_PAPER, _INK, _PALE_INK = (255, 255, 255), (32, 34, 38), (120, 124, 130)


def overlay(image: np.ndarray, labels: np.ndarray, names: Sequence[str], background: bool = False) -> Image.Image:
    """The image under its classes' colours, with outlines, names where they fit, and a legend; RGB.

    It is drawn with a long side of 640 to 1600 pixels, whatever its own. The legend lists the classes that occur, the
    largest first, with their area fractions; it is below the image, or beside a tall one.

    Args:
        image: (height, width, 3), uint8, RGB.
        labels: (height, width) integers, each an index into `names`.
        names: of the classes.
        background: tone class 0 down instead of colouring it, so that all else stands out.
    """
    areas = class_areas(labels, len(names))
    colours = palette(len(names), background)
    photograph, shown = _resized(image, labels)
    size = max(13, max(shown.shape) // 80, math.isqrt(shown.size) // 43)
    found = {}
    for index in map(int, np.argsort(-areas, kind="stable")[: np.count_nonzero(areas)]):
        words = " ".join(names[index].split())
        if (font := font_for(words, size)) is None:
            words, font = f"#{index}", plain_font(size)
        r, g, b = colours[index].tolist()
        found[index] = _Class(words, font, (r, g, b), float(areas[index] / labels.size))
    drawn = _tinted(photograph, shown, colours, background)
    _outline(drawn, shown)
    _name_regions(drawn, shown, found, size, background)
    return _with_legend(drawn, list(found.values()), size, len(names) - len(found))


def _resized(image: np.ndarray, labels: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """Image and labels at the size they are drawn at."""
    longest = max(labels.shape)
    scale = min(-(-_SMALLEST // longest), _LARGEST / longest)  # a whole factor, rounded up, or a reduction below 1
    height, width = (max(1, round(n * scale)) for n in labels.shape)
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
    return resized, labels[rows[:, None], columns]


def _tinted(photograph: Image.Image, labels: np.ndarray, colours: np.ndarray, background: bool) -> Image.Image:
    drawn = Image.blend(photograph, Image.fromarray(colours[labels]), _TINT)
    if background:
        # With less colour and less light it steps back, and remains recognisable.
        quiet = Image.blend(photograph, photograph.convert("L").convert("RGB"), 0.6)
        quiet = Image.blend(quiet, Image.new("RGB", quiet.size, (72, 72, 72)), 0.35)
        drawn.paste(quiet, mask=Image.fromarray((labels == 0).view(np.uint8) * 255))
    return drawn


def _outline(drawn: Image.Image, labels: np.ndarray) -> None:
    """Light lines with dark rims where labels meet: one of the two shows on whatever is there.

    Where labels change at every other pixel there are none, as they would hide everything else.
    """
    edges = np.zeros(labels.shape, np.uint8)
    edges[1:][labels[1:] != labels[:-1]] = 255
    edges[:, 1:][labels[:, 1:] != labels[:, :-1]] = 255
    line = Image.fromarray(edges)
    if max(drawn.size) > 1200:
        line = line.filter(ImageFilter.MaxFilter(3))
    sparse = Image.fromarray(edges).filter(ImageFilter.BoxBlur(8)).point([255 * (v < 90) for v in range(256)])
    line = ImageChops.multiply(line, sparse)
    drawn.paste((16, 16, 16), mask=line.filter(ImageFilter.MaxFilter(3)).point([v * 6 // 10 for v in range(256)]))
    drawn.paste((255, 255, 255), mask=line.point([v * 9 // 10 for v in range(256)]))


@dataclass(frozen=True)
class _Class:
    """A class that occurs, as it is drawn."""

    words: str  # its name, or its index where no font has the name's characters
    font: FreeTypeFont
    colour: tuple[int, int, int]
    fraction: float  # of the image's area

    def cut(self, width: float) -> str:
        """As much of the words as goes into so many pixels."""
        if self.font.getlength(self.words) <= width:
            return self.words
        short = [self.words[:n].rstrip() + "…" for n in range(len(self.words))]
        return short[max(bisect_right(short, width, key=self.font.getlength) - 1, 0)]


def _name_regions(
    drawn: Image.Image, labels: np.ndarray, found: dict[int, _Class], size: int, background: bool
) -> None:
    """Write the class's name on every region that has room for it, the largest first, none over another."""
    step = math.ceil(max(labels.shape) / 160)
    coarse = labels[step // 2 :: step, step // 2 :: step]
    regions = connected_regions(coarse)
    depths = region_depths(regions)
    high = round(1.5 * size)
    draw = ImageDraw.Draw(drawn)
    boxes: list[tuple[int, int, int, int]] = []
    ids, areas = np.unique(regions, return_counts=True)
    for region in ids[np.argsort(-areas, kind="stable")][: np.count_nonzero(areas * step**2 > high**2)]:
        label = int(coarse.flat[region])
        inside = np.where(regions == region, depths, -1)
        deepest = int(inside.max())
        if (2 * deepest + 1) * step < high or (background and label == 0):
            continue
        # The middle of the deepest line through the region, or of its deepest spot, whichever it has.
        ridge = np.argwhere(inside == deepest)
        y, x = ridge[np.linalg.norm(ridge - ridge.mean(axis=0), axis=1).argmin()] * step + step / 2
        extent = int(np.ptp(np.nonzero(inside >= 0)[1]) + 1) * step
        words, font = found[label].cut(min(max(extent, 10 * size), drawn.width) - 2 * size), found[label].font
        wide = round(font.getlength(words)) + size
        left = int(min(max(x - wide / 2, 2), drawn.width - wide - 2))
        top = int(min(max(y - high / 2, 2), drawn.height - high - 2))
        right, bottom = left + wide, top + high
        if min(left, top) < 0 or any(left < x1 and x0 < right and top < y1 and y0 < bottom for x0, y0, x1, y1 in boxes):
            continue
        boxes.append((left, top, right, bottom))
        fill = found[label].colour
        ink = (0, 0, 0) if np.dot(fill, (0.299, 0.587, 0.114)) > 110 else (255, 255, 255)
        draw.rounded_rectangle(boxes[-1], 0.35 * size, fill, (255, 255, 255), 1 + size // 24)
        draw.text((left + size / 2, top + high / 2 + 0.36 * size), words, ink, font, "ls")


def _with_legend(drawn: Image.Image, found: list[_Class], size: int, others: int) -> Image.Image:
    """The drawing on a sheet with swatch, name and area fraction of each class that occurs; the others are counted."""
    plain = plain_font(size)
    note = f"{others} other{'s' if others > 1 else ''} not found" if others else ""
    widest = max(plain.getlength(note) - 5 * size, *(one.font.getlength(one.words) for one in found))
    name = round(min(widest, 15 * size))
    row, column = round(1.7 * size), name + 9 * size  # swatch 1, gap 0.6, name, gap 1, fraction 4, gap 2.4
    (wide, high), entries = drawn.size, len(found) + bool(note)
    if high > 2 * wide:
        rows = (high - 2 * size) // row
        sheet = Image.new("RGB", (wide + size + math.ceil(entries / rows) * column, high), _PAPER)
        left, top = wide + 2 * size, size
    else:
        rows = math.ceil(entries / (wide // column))
        sheet = Image.new("RGB", (wide, high + rows * row + 2 * size), _PAPER)
        left, top = size, high + size
    sheet.paste(drawn)
    draw = ImageDraw.Draw(sheet)
    for entry in range(entries):
        x, middle = left + entry // rows * column, top + (entry % rows + 0.5) * row
        base = middle + 0.36 * size
        if entry == len(found):
            draw.text((x + 1.6 * size, base), note, _PALE_INK, plain, "ls")
            break
        one = found[entry]
        draw.rounded_rectangle((x, middle - size / 2, x + size, middle + size / 2), size / 4, one.colour)
        draw.text((x + 1.6 * size, base), one.cut(name), _INK, one.font, "ls")
        percent = f"{one.fraction:.1%}" if one.fraction >= 0.0005 else "<0.1%"
        draw.text((x + 6.6 * size + name, base), percent, _PALE_INK, plain, "rs")
    return sheet
