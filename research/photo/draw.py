"""Pictures of what was found: the photograph in the words' colours, and their names."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scoring
import torch
from alignment import Alignment
from encoder import Encoder
from PIL import Image, ImageDraw

OBJECTS = [*scoring.VOC_NAMES, *scoring.BACKGROUND]


def overlay(photograph: Image.Image, labels: np.ndarray, words: Sequence[str], opacity: float = 0.55) -> Image.Image:
    """The photograph, and beside it the labels in colours with the names of the words that have most of it."""
    palette = np.array([colorsys.hsv_to_rgb(k * 0.381966 % 1, 0.75, 0.6 + 0.4 * (k % 2)) for k in range(len(words))])
    pixels = np.asarray(photograph.convert("RGB"), dtype=float) / 255
    blended = (1 - opacity) * pixels + opacity * palette[labels]
    both = Image.fromarray((np.concatenate((pixels, blended), axis=1) * 255).astype(np.uint8))
    drawing = ImageDraw.Draw(both)
    counts = np.bincount(labels.ravel(), minlength=len(words))
    for label in counts.argsort()[::-1][:10]:
        if counts[label] > 0.004 * labels.size:
            ys, xs = np.nonzero(labels == label)
            inside = np.abs(xs - np.median(xs)) + np.abs(ys - np.median(ys))
            k = int(inside.argmin())
            at = (photograph.width + int(xs[k]), int(ys[k]))
            drawing.text(at, str(words[label]), fill="white", stroke_width=2, stroke_fill="black", anchor="mm")
    return both


def found(alignment: Alignment, stored: dict[str, Any], words: Sequence[str], encoder: Encoder, size: tuple[int, int]):
    """The labels of a picture of some height and width: (height, width), uint8."""
    queries = alignment.words(encoder(words))
    with torch.inference_mode():
        return scoring.labels(alignment.read(stored["read"]) @ queries.T, stored["grid"], size).numpy().astype(np.uint8)


def development(alignment: Alignment, store: Any, files: Sequence[Path], encoder: Encoder, out: Path) -> None:
    """One picture for each of the development photographs, VOC's classes and twenty words for background asked."""
    out.mkdir(parents=True, exist_ok=True)
    for file in files:
        with Image.open(file) as opened:
            photograph = opened.convert("RGB")
        labels = found(alignment, store[file.stem], OBJECTS, encoder, (photograph.height, photograph.width))
        overlay(photograph, labels, OBJECTS).save(out / f"{file.stem}.png")
