"""A sheet of images that explains itself: heading, legend, columns with headings, notes below every image.

Nothing is known here of what the images show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from feedseg.io.fonts import plain_font

Colour = tuple[int, int, int]

PAPER, INK, PALE_INK, RULE = (255, 255, 255), (32, 34, 38), (104, 108, 114), (222, 224, 228)
GREY = (203, 203, 203)  # a swatch for class 0 of `tinted`
MARGIN, GAP, BELOW = 36, 20, 8  # around the sheet, between images, between an image and its notes
TITLE, HEADING, TEXT, NOTE = 40, 25, 21, 18  # sizes of letters; notes remain readable on a sheet reduced to 900 pixels
TINT = 0.72  # how much of a pixel is its class's colour; the rest is the image's light and shade


@dataclass(frozen=True)
class Entry:
    """A word in a legend or a note, behind a swatch if it has a colour."""

    text: str
    colour: Colour | None = None
    pale: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """An image and what stands below it, as many lines as it needs."""

    image: Image.Image
    notes: Sequence[Sequence[Entry]] = ()  # each begins a new line


@dataclass(frozen=True, eq=False)
class Sheet:
    """What is on a sheet. Every row has a panel for every column, and all images have one size."""

    title: str
    text: Sequence[str]  # paragraphs
    legend: Sequence[Entry]
    columns: Sequence[tuple[str, str]]  # heading, and what is said of the whole column
    rows: Sequence[Sequence[Panel]]
    footnote: str


def tinted(image: np.ndarray, labels: np.ndarray, colours: np.ndarray) -> Image.Image:
    """A label map as an image: class 0 as a pale grey photograph, all else in its class's colour, thin outlines.

    What the image itself is coloured like is left out, so that every colour seen is a class's.

    Args:
        image: (height, width, 3), uint8.
        labels: (height, width), indices into the colours.
        colours: (classes, 3), uint8; that of class 0 is not used.
    """
    grey = Image.fromarray(image).convert("L").convert("RGB")
    pale = Image.blend(grey, Image.new("RGB", grey.size, PAPER), 0.62)
    drawn = Image.blend(grey, Image.fromarray(colours[labels]), TINT)
    drawn.paste(pale, mask=Image.fromarray((labels == 0).view(np.uint8) * 255))
    drawn.paste(INK, mask=Image.fromarray(outlines(labels).view(np.uint8) * 255))
    return drawn


def outlines(labels: np.ndarray) -> np.ndarray:
    """Where a label's upper or left neighbour is another one: (height, width) bool."""
    edges = np.zeros(labels.shape, bool)
    edges[1:] |= labels[1:] != labels[:-1]
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return edges


def draw_sheet(sheet: Sheet) -> Image.Image:
    """The sheet as an RGB image, as wide as its columns and as high as it needs."""
    wide, high = sheet.rows[0][0].image.size
    columns = len(sheet.columns)
    width = 2 * MARGIN + columns * wide + (columns - 1) * GAP
    tops = list(row_tops(sheet))
    bottom = tops[-1]
    page = Image.new("RGB", (width, bottom + _height([[Entry(sheet.footnote)]], NOTE, width - 2 * MARGIN) + MARGIN))
    page.paste(PAPER, (0, 0, *page.size))
    draw = ImageDraw.Draw(page)
    y = MARGIN
    for size, lines in _head(sheet):
        y = _write(draw, lines, size, MARGIN, y, width - 2 * MARGIN)
    for column, (heading, note) in enumerate(sheet.columns):
        left = MARGIN + column * (wide + GAP)
        below = _write(draw, [[Entry(heading)]], HEADING, left, y, wide)
        _write(draw, [[Entry(note, pale=True)]], NOTE, left, below, wide)
    for top, row in zip(tops, sheet.rows, strict=False):
        for column, panel in enumerate(row):
            left = MARGIN + column * (wide + GAP)
            page.paste(panel.image, (left, top))
            _write(draw, panel.notes, NOTE, left, top + high + BELOW, wide)
    draw.line((MARGIN, bottom - 10, width - MARGIN, bottom - 10), RULE)
    _write(draw, [[Entry(sheet.footnote, pale=True)]], NOTE, MARGIN, bottom, width - 2 * MARGIN)
    return page


def row_tops(sheet: Sheet) -> Iterator[int]:
    """Where the images of every row begin, and after the last row where the footnote does; pixels from the top."""
    wide, high = sheet.rows[0][0].image.size
    columns = len(sheet.columns)
    whole = columns * wide + (columns - 1) * GAP
    top = MARGIN + sum(_height(lines, size, whole) for size, lines in _head(sheet))
    top += max(
        _height([[Entry(head)]], HEADING, wide) + _height([[Entry(note)]], NOTE, wide) for head, note in sheet.columns
    )
    top += BELOW
    for row in sheet.rows:
        yield top
        top += high + BELOW + max(_height(panel.notes, NOTE, wide) for panel in row) + GAP
    yield top


def _head(sheet: Sheet) -> Iterator[tuple[int, list[Sequence[Entry]]]]:
    """What stands above the columns: letters' size, lines."""
    yield TITLE, [[Entry(sheet.title)]]
    for paragraph in sheet.text:
        yield TEXT, [[Entry(paragraph)]]
    yield TEXT, [[]]
    if sheet.legend:
        yield TEXT, [sheet.legend, []]


def _pitch(size: int) -> int:
    """From one line to the next, in pixels."""
    return round(1.45 * size)


def _height(lines: Sequence[Sequence[Entry]], size: int, width: int) -> int:
    return _pitch(size) * sum(1 + max((row for _, row, _ in _flow(line, size, width)), default=0) for line in lines)


def _flow(entries: Sequence[Entry], size: int, width: int) -> Iterator[tuple[float, int, Entry]]:
    """Left end, line and entry of pieces that fit the width: entries with a swatch whole, of others every word."""
    font = plain_font(size)
    x, row = 0.0, 0
    for entry in entries:
        whole = [entry.text] if entry.colour else entry.text.split()
        pieces = [Entry(text, entry.colour, entry.pale) for text in whole]
        for piece in pieces:
            needed = font.getlength(piece.text) + (1.35 * size if piece.colour else 0)
            if x and x + needed > width:
                x, row = 0.0, row + 1
            yield x, row, piece
            x += needed + font.getlength(" ")
        x += 0.6 * size


def _write(
    draw: ImageDraw.ImageDraw, lines: Sequence[Sequence[Entry]], size: int, left: int, top: int, width: int
) -> int:
    """Draw lines of entries; where the next line would begin."""
    font = plain_font(size)
    for line in lines:
        for x, row, entry in _flow(line, size, width):
            base = top + row * _pitch(size) + 1.08 * size
            start = left + x
            if entry.colour:
                draw.rounded_rectangle(
                    (start, base - 0.84 * size, start + size, base + 0.16 * size), size / 4, entry.colour
                )
                start += 1.35 * size
            draw.text((start, base), entry.text, PALE_INK if entry.pale else INK, font, "ls")
        top += _height([line], size, width)
    return top
