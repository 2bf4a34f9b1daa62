"""A result as the page's viewer takes it: two drawings, a map of the classes for the pointer, and the legend."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from feedseg.apps.page.desk import LONGEST, Answer
from feedseg.io.legend import percent
from feedseg.io.palette import hexadecimal
from feedseg.segmentation import Segmentation

POINTED = 512  # the same of what the pointer asks
_QUALITY = 88


def viewed(answer: Answer) -> dict[str, Any]:
    """What the viewer shows, as JSON has it."""
    after, before = answer.after, answer.before
    return {
        "after": drawn(after),
        "before": before and drawn(before),
        "codes": png_uri(codes(after, before or after)),
        "names": list(after.names),
        "colours": [hexadecimal(colour) for colour in after.palette.tolist()],
    }


def listed(answer: Answer) -> dict[str, Any]:
    """What the legend lists, as JSON has it."""
    after, before = answer.after, answer.before
    behind = after.names[0] if after.background else None
    return {
        "rows": rows(after, before),
        "missing": [name for name in missing(after, before) if name != behind],
        "before": before is not None,
    }


def coloured(result: Segmentation, colours: Mapping[str, str]) -> Segmentation:
    """The same in the colours that were chosen for its classes. Raises FeedsegError where two would have one colour."""
    chosen = {name: colour for name, colour in colours.items() if name in result.names}
    return result.with_colours(chosen) if chosen else result


def drawn(result: Segmentation) -> str:
    """The photo under its classes' colours, as the address of a JPEG."""
    return jpeg_uri(result.overlay(legend=False, longest=LONGEST))


def codes(after: Segmentation, before: Segmentation) -> np.ndarray:
    """Class and confidence of every place, (h, 2·w, 3) uint8: with feedback on the left, without on the right.

    Red and green are the label's low and high byte, blue the confidence in 255ths.
    """
    halves = []
    for result in (after, before):
        height, width = result.labels.shape
        scale = min(1.0, POINTED / max(height, width))
        down, across = max(1, round(height * scale)), max(1, round(width * scale))
        rows_of = (np.arange(down) * 2 + 1) * height // (2 * down)
        columns_of = (np.arange(across) * 2 + 1) * width // (2 * across)
        labels = result.labels[rows_of[:, None], columns_of].astype(np.uint16)
        sure = np.rint(result.confidence[rows_of[:, None], columns_of] * 255)
        halves.append(np.stack([labels & 255, labels >> 8, np.clip(sure, 0, 255)], axis=-1).astype(np.uint8))
    return np.concatenate(halves, axis=1)


def rows(after: Segmentation, before: Segmentation | None) -> list[dict[str, Any]]:
    """The legend: every class that occurs in either result, the largest first."""
    found = []
    for index, name in enumerate(after.names):
        was = before.area_fractions[name] if before else None
        now = after.area_fractions[name]
        if not (now or was):
            continue
        confidence = after.class_confidence[index]
        found.append(
            {
                "name": name,
                "colour": hexadecimal(after.palette[index].tolist()),
                "fraction": now,
                "area": percent(now) if now else "–",
                "before": None if was is None else percent(was) if was else "–",
                "confidence": None if confidence is None else f"{confidence:.0%}",
            }
        )
    return sorted(found, key=lambda row: -row["fraction"])


def missing(after: Segmentation, before: Segmentation | None) -> list[str]:
    """The classes that were asked for and are in neither result."""
    return [
        name for name, pixels in after.pixels.items() if not pixels and not (before is not None and before.pixels[name])
    ]


def times(opened: float, answered: float, first: float | None) -> str:
    """How long an answer took, in parts for the first of a photo, else beside the first one."""
    if first is None:
        return f"First answer in {seconds(opened + answered)}: photo {seconds(opened)}, words {seconds(answered)}."
    return f"These words in {seconds(answered)}, from the photo that is kept; the first answer took {seconds(first)}."


def seconds(value: float) -> str:
    """A time, in as many digits as say something."""
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def jpeg_uri(image: Image.Image) -> str:
    """A drawing as the address of a JPEG."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_uri(pixels: np.ndarray) -> str:
    """An image as the address of a PNG."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)  # quick: it is read once
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
