"""Makes the images of docs/gallery.md anew: photographs, each beside what the bundled `photo` makes of it.

python docs/pictures/gallery.py

Nothing is downloaded: the photographs are bundled with Feedseg, or come with scikit-image and matplotlib.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from feedseg import Segmenter, Vocabulary

HERE = Path(__file__).parent
BUNDLED = HERE.parents[1] / "src/feedseg/models/photographs"
READ = 512  # the longest side that the model is given, pixels
SHOWN = 400  # the width of the photograph and of its result
MOST_BYTES = 60_000  # of a file


@dataclass(frozen=True)
class Shown:
    """A photograph and the words that it is asked for; without a background where `background` is empty."""

    name: str  # of the file
    photograph: str
    words: str
    background: str = ""


WORKS = (
    Shown("camera", "camera", "person, camera; tripod, grass, sky, building"),
    Shown("cat", "chelsea", "cat", "auto"),
    Shown("coffee", "coffee", "cup, plate, table"),
    Shown("coins", "coins", "coin", "auto"),
    Shown("astronaut", "astronaut", "person, flag, helmet, rocket, wall"),
    Shown("admiral", "grace_hopper", "person, flag, wall"),
    Shown("clock", "clock", "clock", "auto"),
    Shown("horse", "horse", "horse", "auto"),
)
FAILS = (
    Shown("thin", "rocket", "rocket, tower, sky"),
    Shown("parts", "astronaut", "face, hair, hand, orange suit, white collar, badge"),
    Shown("missing-word", "coffee", "cup, saucer, spoon, wood"),
    Shown("rival-word", "coins", "coin, portrait, wall"),
    Shown("texture", "brick", "brick wall, grass, gravel"),
    Shown("retina", "retina", "artery, retina, black background"),
    Shown("galaxies", "hubble_deep_field", "galaxy, star, sky"),
    Shown("tissue", "immunohistochemistry", "tissue, cell, gland"),
)


def photograph(name: str) -> Image.Image:
    """The photograph, RGB, its longest side at most 512 pixels."""
    import skimage.data
    from matplotlib.cbook import get_sample_data

    if (path := BUNDLED / f"{name}.jpg").exists():
        image = Image.open(path)
    elif name == "grace_hopper":
        image = Image.open(get_sample_data("grace_hopper.jpg"))
    else:
        read: Callable[[], np.ndarray] = getattr(skimage.data, name)
        pixels = read()
        image = Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels.astype(np.uint8) * 255)
    image = image.convert("RGB")
    image.thumbnail((READ, READ), Image.Resampling.LANCZOS)
    return image


def beside(image: Image.Image, result: Image.Image) -> Image.Image:
    """The photograph on the left, its result of the same width on the right."""
    parts = [part.resize((SHOWN, round(part.height * SHOWN / part.width)), Image.Resampling.LANCZOS)
             for part in (image, result)]  # fmt: skip
    sheet = Image.new("RGB", (2 * SHOWN + 8, max(part.height for part in parts)), "white")
    sheet.paste(parts[0], (0, 0))
    sheet.paste(parts[1], (SHOWN + 8, 0))
    return sheet


def jpeg(image: Image.Image) -> bytes:
    """A JPEG of the best quality that is small enough."""
    for quality in range(85, 30, -5):
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        if buffer.tell() <= MOST_BYTES:
            return buffer.getvalue()
    raise ValueError(f"an image of {image.size} pixels does not fit into {MOST_BYTES} bytes")


def main() -> None:
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    segmenter = Segmenter.load("photo", device="cpu")
    for shown in (*WORKS, *FAILS):
        image = photograph(shown.photograph)
        words = Vocabulary.parse_line(shown.words, background=shown.background or None)
        with warnings.catch_warnings():  # the page says which words the model hardly knows
            warnings.simplefilter("ignore", UserWarning)
            result = segmenter(image, words)
        (folder / f"{shown.name}.jpg").write_bytes(jpeg(beside(image, result.overlay(longest=640))))
        areas = ", ".join(f"{name} {fraction:.1%}" for name, fraction in result.area_fractions.items())
        print(f"{shown.name}: {areas}")


if __name__ == "__main__":
    main()
