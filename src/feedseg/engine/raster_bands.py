"""Labels of a raster that is too large to be held, band by band: to the last bit those that it would have as an image.

Windows lie where the segmenter would put them on the whole, and are encoded a row of windows at a time. Where one is
done with, the rows that no later one reaches are decoded. Held are the pixels of one row of windows and the logits of
those that overlap it, so memory grows with the raster's width alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from feedseg.arguments import Words
from feedseg.decode.rolling import RollingLogits
from feedseg.decode.scores import ClassScores
from feedseg.io.raster import Raster
from feedseg.io.raster.legend import label_dtype, nodata_of
from feedseg.segmenter import Segmenter
from feedseg.settings import Settings
from feedseg.vision.windows import Placement, Window, starts
from feedseg.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Band:
    """Rows of a raster with their labels."""

    number: int
    start: int  # the first row
    labels: np.ndarray  # (rows, width); the largest number where there are no data
    areas: np.ndarray  # (classes,) int64, pixels of each
    confidence: float  # of the pixels with data, summed

    @property
    def stop(self) -> int:
        """The row behind the last one."""
        return self.start + len(self.labels)


def raster_settings(settings: Settings, fast: bool) -> Settings:
    """Those of a segmenter for rasters: with windows also where a model takes whole images.

    Such a model gets windows of the short side that it resizes images to, half a window apart, or `fast` ones.
    """
    if settings.window is not None:
        return settings
    windows = replace(settings, window=settings.short_side, stride=max(1, settings.short_side // 2))
    return windows.fast() if fast else windows


def count_bands(raster: Raster, settings: Settings) -> int:
    """How many bands `label_bands` has of a raster."""
    return len(_axis(raster, raster_settings(settings, raster.options.fast), 0))


def label_bands(segmenter: Segmenter, words: Words, raster: Raster, *, first: int = 0, row: int = 0) -> Iterator[Band]:
    """The bands of a raster from the top down.

    Args:
        segmenter: its settings but the short and the long side count, see `raster_settings`.
        words: as `Segmenter` takes them.
        raster: what to segment.
        first: the number of the first band that is wanted, others being there already.
        row: where it begins.

    Raises:
        FeedsegError: the raster is damaged, or a window does not fit into the memory.
    """
    yield from _Run(segmenter, segmenter.resolved(words), raster).bands(first, row)


class _Run:
    """One pass over a raster."""

    def __init__(self, segmenter: Segmenter, vocabulary: Vocabulary, raster: Raster) -> None:
        self.segmenter, self.raster = segmenter, raster
        self.dtype = label_dtype(len(vocabulary.names))
        self.settings = raster_settings(segmenter.settings, raster.options.fast)
        self.threshold = np.float32(vocabulary.threshold)
        self.text = segmenter.embed(vocabulary)
        self.logits = RollingLogits(len(self.text), raster.size, raster.working, segmenter.device)
        classes, scale = len(vocabulary.names), self.settings.logit_scale
        self.scores = ClassScores(self.logits, vocabulary.query_to_class, classes, scale, self.settings.softmax)
        width = raster.working[1]
        self.pixels = np.empty((0, width, 3), np.uint8)  # of the row of windows
        self.valid = np.empty((0, width), bool)

    def bands(self, first: int, row: int) -> Iterator[Band]:
        """See `label_bands`."""
        rows = _axis(self.raster, self.settings, 0)
        needed = self.logits.pairs[row].upper if row < self.raster.size[0] else self.raster.working[0]
        bottom = 0
        for number, (top, height) in enumerate(rows):
            if top + height <= needed:
                continue
            self._read(top, height, bottom)
            bottom = top + height
            self._encode(top)
            if number < first:
                continue
            known = rows[number + 1][0] if number + 1 < len(rows) else self.raster.working[0]
            stop = self.logits.ready(known)
            yield self._decoded(number, row, stop)
            self.logits.forget(stop)
            row = stop

    def _read(self, top: int, height: int, bottom: int) -> None:
        """The pixels of a row of windows; those that the last one had, above `bottom`, are not read again."""
        start = max(top, bottom)
        held = len(self.pixels) - (start - top) if bottom else 0
        pixels, valid = self.raster.working_rows(start, top + height)
        self.pixels = np.concatenate([self.pixels[held:], pixels]) if bottom > top else pixels
        self.valid = np.concatenate([self.valid[held:], valid]) if bottom > top else valid

    def _encode(self, top: int) -> None:
        """The logits of a row of windows; those without any data are left out."""
        windows = [
            Window(top, left, len(self.pixels), width)
            for left, width in _axis(self.raster, self.settings, 1)
            if self.valid[:, left : left + width].any()
        ]
        segmenter, size = self.segmenter, self.segmenter.batch_size
        for some in (windows[start : start + size] for start in range(0, len(windows), size)):
            cut = [self._pixels(window) for window in some]
            alone = replace(self.settings, window=(some[0].height, some[0].width), stride=None)
            encoded = segmenter.encoder.encode_images(cut, alone, size)
            for index, placement, window in encoded:
                assert placement is not None
                placed = Placement(some[index], placement.inside, placement.sides)
                self.logits.add(window.logits(self.text, segmenter.feedback), placed)
                del window

    def _pixels(self, window: Window) -> Tensor:
        """RGB in [0, 1], (3, height, width), as `feedseg.io.images.resized` has it."""
        part = np.ascontiguousarray(self.pixels[:, window.columns])
        return torch.from_numpy(part).permute(2, 0, 1).float().div_(255)

    @torch.inference_mode()
    def _decoded(self, number: int, start: int, stop: int) -> Band:
        valid = self.raster.valid(start, stop)
        labels = np.full(valid.shape, nodata_of(self.dtype), self.dtype)
        confidence = 0.0
        step = self.scores.strip_rows
        for top in range(start, stop, step) if valid.any() else ():
            rows = slice(top, min(top + step, stop))
            inside = valid[rows.start - start : rows.stop - start]
            label, probability = (found.cpu().numpy() for found in self.scores.best(rows))
            label[probability < self.threshold] = 0
            labels[rows.start - start : rows.stop - start][inside] = label[inside]
            confidence += float(probability[inside].sum(dtype=np.float64))
        areas = np.bincount(labels[valid], minlength=self.scores.shape[0]).astype(np.int64)
        return Band(number, start, labels, areas, confidence)


def _axis(raster: Raster, settings: Settings, side: int) -> list[tuple[int, int]]:
    """Start and size of the windows along a side, 0 for down and 1 for across."""
    stride = settings.stride_sides
    return starts(raster.working[side], settings.window_sides[side], None if stride is None else stride[side])
