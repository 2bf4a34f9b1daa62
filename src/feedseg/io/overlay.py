"""Label maps as pictures for people: colours that everyone can tell apart, names, outlines, a legend."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

# Pictures are drawn with their long side between these, in pixels: smaller ones are enlarged by a whole factor, so that
# names fit in and the pixels stay square, larger ones reduced, since nobody looks at more and PNGs of them are huge.
_SMALLEST, _LARGEST = 640, 1600
_TINT = 0.55  # how much of a foreground pixel is its class's colour; the rest is the photograph
_PAPER, _INK, _PALE_INK = (255, 255, 255), (32, 34, 38), (120, 124, 130)

_BACKGROUND = (0x8C, 0x8C, 0x8C)
# Blue, orange, teal, burgundy, yellow, violet, lilac, sky, olive, magenta, found by annealing from hand-picked hues.
# The closest two of the first eight are 12.5 apart (Oklab distance x 100), of all ten 12.2, to the normal eye and in
# every simulation below; by the same measure the closest two of the Okabe-Ito palette are 7.6 apart.
_DESIGNED = np.array([*bytes.fromhex("2461F5FF7F0A3DBEAA8C1040FEDE3D58089FCD86FF8EDEFF637200C8329B")]).reshape(-1, 3)
# How linear RGB looks to the normal eye and without the long, middle or short cones (Machado, Oliveira and Fernandes,
# "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1).
_VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
# Linear sRGB to cones, roots of cones to Oklab (Björn Ottosson, "A perceptual color space for image processing", 2020).
_CONES = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
_OKLAB = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])

# Where Pillow's own font, ASCII alone, does not do: the first of these that the system has and that has the characters.
_FONTS = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc"),  # Linux
    *("Arial.ttf", "Arial Unicode.ttf", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Kohinoor.ttc"),  # macOS
    *("arial.ttf", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "Nirmala.ttf", "Nirmala.ttc", "LeelawUI.ttf"),  # Windows
)


def palette(classes: int, background: bool) -> np.ndarray:
    """One colour per class, (classes, 3) uint8 RGB, chosen so that colour-blind people can tell them apart too.

    With `background` the first class gets a quiet grey. The colours of fewer classes are the first of those of more.
    The first ten foreground colours are designed, some thousand more computed, all distinct; after those they repeat.
    """
    foreground = max(classes - background, 0)
    colours = np.resize(_foreground(min(foreground, 1024)), (foreground, 3))
    return np.concatenate([np.array([_BACKGROUND], np.uint8)[: int(background)], colours])[:classes]


@lru_cache
def _foreground(count: int) -> np.ndarray:
    """The first `count` foreground colours: after the designed ones each the farthest from all before it."""
    steps = np.arange(0, 256, 15)
    candidates = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    lightness, *hue = _seen(candidates)[:, 0]
    # Neither dark nor nearly white, which photographs are full of, nor as grey as the background.
    candidates = candidates[(lightness > 0.45) & (lightness < 0.92) & (np.hypot(*hue) > 0.09)]
    pool = np.concatenate([[_BACKGROUND], _DESIGNED, candidates])
    # Far is what is far to all four eyes, where the normal one, having most room, is asked for twice the distance: with
    # equal shares the other three would soon have used up what there is, and everyone would get similar colours.
    seen = _seen(pool) * np.array([0.5, 1, 1, 1], np.float32)[:, None]
    nearest = np.full(len(pool), np.inf, np.float32)
    chosen = []
    for turn in range(1 + count):
        chosen.append(turn if turn <= len(_DESIGNED) else int(nearest.argmax()))
        gaps = np.square(seen - seen[..., chosen[-1], None]).sum(axis=0)
        nearest = np.minimum(nearest, gaps.min(axis=0))
    return pool[chosen[1:]].astype(np.uint8)


def _seen(colours: np.ndarray) -> np.ndarray:
    """(n, 3) sRGB colours, 0 to 255, as the four kinds of eyes see them in Oklab: (3, 4, n) float32."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    simulated = np.clip(linear @ _VISIONS.swapaxes(1, 2), 0, 1)
    oklab = np.moveaxis(np.cbrt(simulated @ _CONES.T) @ _OKLAB.T, -1, 0)
    return np.ascontiguousarray(oklab.round(4), np.float32)  # rounded: no machine's last digit shall choose a colour


def class_areas(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of a (height, width) label map each class has: (classes,) int64."""
    areas = np.zeros(classes, np.int64)
    for row in labels:  # row by row, as bincount widens what it counts to 64 bits
        areas += np.bincount(row, minlength=classes)
    return areas


def overlay(picture: np.ndarray, labels: np.ndarray, names: Sequence[str], background: bool = False) -> Image.Image:
    """The picture under its classes' colours, with outlines, names where they fit, and a legend; an RGB picture.

    `picture`: (height, width, 3) uint8. `labels`: (height, width) integers, each an index into `names`. With
    `background` class 0 is toned down instead of coloured, so that all else stands out.

    The picture is drawn with a long side of 640 to 1600 pixels, whatever its own. The legend lists the classes that
    occur, the largest first, with their share of the pixels; it is below the picture, or beside a tall one.
    """
    areas = class_areas(labels, len(names))
    colours = palette(len(names), background)
    picture, shown = _resized(picture, labels)
    size = max(13, max(shown.shape) // 80, math.isqrt(shown.size) // 43)
    found = {}
    for index in map(int, np.argsort(-areas, kind="stable")[: np.count_nonzero(areas)]):
        words, font = _writable(names[index], index, size)
        r, g, b = colours[index].tolist()
        found[index] = _Class(words, font, (r, g, b), float(areas[index] / labels.size))
    drawn = _tinted(picture, shown, colours, background)
    _outline(drawn, shown)
    _name_regions(drawn, shown, found, size, background)
    return _with_legend(drawn, list(found.values()), size, len(names) - len(found))


def _resized(picture: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture and labels at the size they are drawn at."""
    longest = max(labels.shape)
    scale = min(-(-_SMALLEST // longest), _LARGEST / longest)  # a whole factor, rounded up, or a reduction below 1
    height, width = (max(1, round(n * scale)) for n in labels.shape)
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3)
    return np.asarray(resized), labels[rows[:, None], columns]


def _tinted(picture: np.ndarray, labels: np.ndarray, colours: np.ndarray, background: bool) -> Image.Image:
    photograph = Image.fromarray(picture)
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
    calm = Image.fromarray(edges).filter(ImageFilter.BoxBlur(8)).point([255 * (v < 90) for v in range(256)])
    line = ImageChops.multiply(line, calm)
    drawn.paste((16, 16, 16), mask=line.filter(ImageFilter.MaxFilter(3)).point([v * 6 // 10 for v in range(256)]))
    drawn.paste((255, 255, 255), mask=line.point([v * 9 // 10 for v in range(256)]))


class _Class(NamedTuple):
    """A class that occurs, as it is drawn."""

    words: str  # its name, or its index where no font has the name's characters
    font: ImageFont.FreeTypeFont
    colour: tuple[int, int, int]
    share: float  # of the picture

    def cut(self, width: float) -> str:
        """As much of the words as goes into so many pixels."""
        if self.font.getlength(self.words) <= width:
            return self.words
        short = [self.words[:n].rstrip() + "…" for n in range(len(self.words))]
        return short[max(bisect_right(short, width, key=self.font.getlength) - 1, 0)]


def _writable(name: str, index: int, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """The name on one line, and the first font that has all its characters; the index if no font has."""
    words = " ".join(name.split())
    for font in (_plain_font(size), *(_system_font(file, size) for file in _FONTS if not words.isascii())):
        # A character that a font lacks looks like one that no font has: an empty box.
        if font and _shape(font, "\U0010ffff") not in {_shape(font, c) for c in words if c != " "}:
            return words, font
    return f"#{index}", _plain_font(size)


def _shape(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    return bytes(cast(Any, font.getmask(character)))


@lru_cache
def _plain_font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, which every system has."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


@lru_cache
def _system_font(file: str, size: int) -> ImageFont.FreeTypeFont | None:
    """One of the system's fonts by its file's name, None if it lacks that."""
    try:
        return ImageFont.truetype(file, size)
    except OSError:
        return None


def _name_regions(
    drawn: Image.Image, labels: np.ndarray, found: dict[int, _Class], size: int, background: bool
) -> None:
    """Write the class's name on every region that has room for it, the largest first, none over another."""
    step = math.ceil(max(labels.shape) / 160)
    coarse = labels[step // 2 :: step, step // 2 :: step]
    regions, depths = _regions(coarse)
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


def _regions(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected regions of one label: the flat index of every pixel's region's first pixel, and every pixel's depth.

    The depth is how many steps a pixel lies away from the nearest pixel of another region, or from the border.
    """
    ids = np.arange(labels.size).reshape(labels.shape)
    beside, above = labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1]
    while True:
        new = ids.copy()
        for one, other, same in ((new[:, 1:], new[:, :-1], beside), (new[1:], new[:-1], above)):
            lower = np.minimum(one, other)
            np.minimum(one, lower, out=one, where=same)
            np.minimum(other, lower, out=other, where=same)
        new = new.ravel()[new]  # an id is a pixel of the same region, whose own id may be lower still
        if (new == ids).all():
            break
        ids = new
    ringed = np.pad(ids, 1, constant_values=-1)
    around = ringed[:-2, 1:-1], ringed[2:, 1:-1], ringed[1:-1, :-2], ringed[1:-1, 2:]
    inner = np.all([neighbour == ids for neighbour in around], axis=0)
    depths = np.zeros(labels.shape, int)
    while inner.any():
        depths += inner
        ringed = np.pad(inner, 1)
        upright, level = ringed[:-2] & ringed[2:], ringed[:, :-2] & ringed[:, 2:]
        inner = inner & upright[:, 1:-1] & level[1:-1]
        if depths.max() % 2:  # corners count every other time: rings of eight sides, nearly round
            inner &= upright[:, :-2] & upright[:, 2:]
    return ids, depths


def _with_legend(drawn: Image.Image, found: list[_Class], size: int, others: int) -> Image.Image:
    """The drawing on a sheet with swatch, name and share of each class that occurs, and the number of the others."""
    plain = _plain_font(size)
    note = f"{others} other{'s' if others > 1 else ''} not found" if others else ""
    widest = max(plain.getlength(note) - 5 * size, *(one.font.getlength(one.words) for one in found))
    name = round(min(widest, 15 * size))
    row, column = round(1.7 * size), name + 9 * size  # swatch 1, gap 0.6, name, gap 1, share 4, gap 2.4
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
    for place in range(entries):
        x, middle = left + place // rows * column, top + (place % rows + 0.5) * row
        base = middle + 0.36 * size
        if place == len(found):
            draw.text((x + 1.6 * size, base), note, _PALE_INK, plain, "ls")
            break
        one = found[place]
        draw.rounded_rectangle((x, middle - size / 2, x + size, middle + size / 2), size / 4, one.colour)
        draw.text((x + 1.6 * size, base), one.cut(name), _INK, one.font, "ls")
        percent = f"{one.share:.1%}" if one.share >= 0.0005 else "<0.1%"
        draw.text((x + 6.6 * size + name, base), percent, _PALE_INK, plain, "rs")
    return sheet
