"""Label maps small enough to be kept of every image: what reports show of results without asking the model again."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError, first_line

LONGEST = 320  # pixels of the long side, at most


def shrunk(labels: np.ndarray) -> np.ndarray:
    """A map with a long side of `LONGEST` at most: of every cell the pixel in its middle."""
    scale = max(1.0, max(labels.shape) / LONGEST)
    rows, columns = (
        np.minimum((np.arange(max(1, round(side / scale))) + 0.5) * scale, side - 1).astype(np.intp)
        for side in labels.shape
    )
    return labels[rows[:, None], columns]


def encode_map(labels: np.ndarray) -> str:
    """A label map of up to 65,536 classes, shrunk, as a PNG in Base64: some kilobytes."""
    small = shrunk(labels)
    buffer = BytesIO()
    Image.fromarray(small.astype(np.uint8 if small.max() < 256 else np.uint16)).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def decode_map(text: str) -> np.ndarray:
    """The inverse: (height, width), int32.

    Raises:
        FeedsegError: it is none, or larger than one can be.
    """
    try:
        with Image.open(BytesIO(base64.b64decode(text)), formats=("PNG",)) as image:
            if image.mode in ("L", "I;16") and max(image.size) <= LONGEST:
                return np.asarray(image).astype(np.int32)
    except Exception as error:  # Pillow raises whatever it stumbles over
        raise FeedsegError(f"a journal's map of labels is damaged: {first_line(error)}") from error
    raise FeedsegError("a journal's map of labels is damaged: it has another size or form")
