"""Label maps as images for people: colours over the photograph, outlines, names, a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from feedseg.io.legend import Found, Words, with_legend
from feedseg.io.palette import class_colours
from feedseg.io.patterns import choose_patterns, draw_patterns
from feedseg.io.regions import class_areas
from feedseg.io.tags import name_regions

# Images are drawn with their long side between these, in pixels: smaller ones are enlarged by a whole factor, so that
# names fit in and the pixels stay square, larger ones reduced, since nobody looks at more.
SMALLEST, LARGEST = 640, 1600
_TINT = 0.55  # how much of a foreground pixel is its class's colour; the rest is the photograph


def overlay(
    image: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    background: bool = False,
    colours: np.ndarray | None = None,
    *,
    legend: bool = True,
    longest: int = LARGEST,
) -> Image.Image:
    """The image under its classes' colours, with outlines, names where they fit, and a legend; RGB.

    It is drawn with a long side of 640 to 1600 pixels, whatever its own. The legend lists the classes that occur, the
    largest first, with their area fractions, and names what was not found; it is below the image, or beside a tall one.
    Classes whose colours somebody could take for each other have patterns.

    Args:
        image: (height, width, 3), uint8, RGB.
        labels: (height, width) integers, each an index into `names`.
        names: of the classes.
        background: tone class 0 down instead of colouring it, so that all else stands out.
        colours: of the classes, (classes, 3) uint8; those of `class_colours` unless given.
        legend: whether to draw it.
        longest: the most pixels that the long side of the image is drawn with, 640 or more.
    """
    colours = class_colours(names, background) if colours is None else colours
    areas = class_areas(labels, len(names))
    photograph, shown = _resized(image, labels, longest)
    size = max(13, max(shown.shape) // 80, math.isqrt(shown.size) // 43)
    looks = Looks.of(areas, colours, background)
    found = {}
    for index in looks.order:
        r, g, b = colours[index].tolist()
        words = Words.of(names[index], index, size)
        found[index] = Found(words, (r, g, b), looks.patterns[index], float(areas[index] / labels.size))
    drawn = _tinted(photograph, shown, colours, background)
    draw_patterns(drawn, shown, colours, looks.patterns, max(8, size * 3 // 4))
    _outline(drawn, shown)
    name_regions(drawn, shown, found, size, background)
    if not legend:
        return drawn
    missing = [(index, name) for index, name in enumerate(names) if not areas[index]]
    return with_legend(drawn, list(found.values()), missing, size)


@dataclass(frozen=True)
class Looks:
    """How the classes of one picture are told apart."""

    order: tuple[int, ...]  # the labels that occur, the largest first
    patterns: tuple[str, ...]  # of all classes, by label

    @classmethod
    def of(cls, areas: np.ndarray, colours: np.ndarray, background: bool) -> Looks:
        """From every class's area and colour; a background is shown without colour and so never takes part."""
        order = tuple(map(int, np.argsort(-areas, kind="stable")[: np.count_nonzero(areas)]))
        coloured = [index for index in order if not (background and index == 0)]
        patterns = ["plain"] * len(areas)
        for index, pattern in zip(coloured, choose_patterns(colours[coloured]), strict=True):
            patterns[index] = pattern
        return cls(order, tuple(patterns))


def drawn_size(size: tuple[int, ...], longest: int = LARGEST) -> tuple[int, int]:
    """Height and width that an image of some height and width is drawn with; see `overlay`."""
    own = max(size)
    # A whole factor, rounded up, if the largest allows it, or a reduction below 1.
    scale = min(-(-SMALLEST // own), longest // own or longest / own)
    height, width = (max(1, round(n * scale)) for n in size)
    return height, width


def _resized(image: np.ndarray, labels: np.ndarray, largest: int) -> tuple[Image.Image, np.ndarray]:
    """Image and labels at the size they are drawn at."""
    height, width = drawn_size(labels.shape, largest)
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


class FrameOverlay:
    """Draws the frames of a video: with one legend, of all of it, so that nothing moves but the video."""

    def __init__(
        self, areas: np.ndarray, size: tuple[int, int], names: Sequence[str], background: bool, colours: np.ndarray
    ) -> None:
        """For frames of one size.

        Args:
            areas: the pixels of each class over all frames.
            size: of the frames, width and height.
            names: of the classes.
            background: whether class 0 is toned down.
            colours: of the classes, (classes, 3) uint8.
        """
        width, height = size
        blank = np.zeros((height, width), np.uint8)
        photograph, shown = _resized(np.zeros((height, width, 3), np.uint8), blank, LARGEST)
        self._colours, self._background = colours, background
        self._letters = max(13, max(shown.shape) // 80, math.isqrt(shown.size) // 43)
        self._looks = Looks.of(areas, colours, background)
        found = []
        for index in self._looks.order:
            r, g, b = colours[index].tolist()
            fraction = float(areas[index] / areas.sum())
            words = Words.of(names[index], index, self._letters)
            found.append(Found(words, (r, g, b), self._looks.patterns[index], fraction))
        missing = [(index, name) for index, name in enumerate(names) if not areas[index]]
        self._sheet = with_legend(photograph, found, missing, self._letters)

    def draw(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """A frame (height, width, 3) uint8 under the colours of its labels (height, width), and the legend."""
        photograph, shown = _resized(image, labels, LARGEST)
        drawn = _tinted(photograph, shown, self._colours, self._background)
        draw_patterns(drawn, shown, self._colours, self._looks.patterns, max(8, self._letters * 3 // 4))
        _outline(drawn, shown)
        sheet = self._sheet.copy()
        sheet.paste(drawn)
        return np.asarray(sheet)
