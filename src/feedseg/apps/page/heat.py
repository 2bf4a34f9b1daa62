"""What a patch attends to, over the photo: before and after feedback, with what is predicted for it."""

from __future__ import annotations

from html import escape

import numpy as np
from PIL import Image, ImageDraw

from feedseg.apps.page.view import jpeg_uri
from feedseg.explanation import Explanation

_LONGEST = 560  # pixels of a map's long side
_PALE = 0.7  # how far the photo under a map goes towards white
_RAMP = np.array([(252, 253, 191), (254, 159, 109), (222, 73, 104), (140, 41, 129), (59, 15, 112)], np.float32)
_POINT = (255, 45, 149)
_NAMED = 3  # classes of which probabilities are told


def heat(image: np.ndarray, values: np.ndarray, box: tuple[float, ...], patch: tuple[int, int]) -> Image.Image:
    """A map over the pale photo, and a frame around the patch; RGB.

    Its scale is of square roots, as an attention has few large weights and many small ones.

    Args:
        image: (height, width, 3) uint8.
        values: (h, w), of the patches.
        box: left, top, right, bottom that they cover, in pixels of the image.
        patch: row and column of the one that attends.
    """
    scale = _LONGEST / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    grey = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2).convert("L")
    pale = np.asarray(grey, np.float32)[..., None] * (1 - _PALE) + 255 * _PALE
    left, top, right, bottom = (edge * scale for edge in box)
    across, down = (right - left) / values.shape[1], (bottom - top) / values.shape[0]
    columns = np.floor((np.arange(size[0]) + 0.5 - left) / across).astype(int)
    lines = np.floor((np.arange(size[1]) + 0.5 - top) / down).astype(int)
    inside = ((lines >= 0) & (lines < values.shape[0]))[:, None] & ((columns >= 0) & (columns < values.shape[1]))
    share = np.sqrt(np.clip(values, 0, None) / max(float(values.max()), 1e-12))
    shown = share[np.clip(lines, 0, values.shape[0] - 1)[:, None], np.clip(columns, 0, values.shape[1] - 1)]
    stops = np.linspace(0, 1, len(_RAMP))
    colour = np.stack([np.interp(shown, stops, _RAMP[:, channel]) for channel in range(3)], axis=-1)
    opacity = (np.where(inside, 0.2 + 0.65 * shown, 0))[..., None]
    drawn = Image.fromarray(np.rint(pale * (1 - opacity) + colour * opacity).astype(np.uint8))
    corner = left + patch[1] * across, top + patch[0] * down
    draw = ImageDraw.Draw(drawn)
    for grown, ink, width in ((2, (255, 255, 255), 6), (1, _POINT, 3)):
        frame = corner[0] - grown, corner[1] - grown, corner[0] + across + grown, corner[1] + down + grown
        draw.rectangle(frame, outline=ink, width=width)
    return drawn


def inspected(found: Explanation, at: tuple[float, float]) -> str:
    """The explanation as HTML: what the patch at a point of the photo becomes, and the two maps."""
    image = found.after.image
    x, y = at
    kind = found.feedback.removesuffix("Feedback").lower()
    same = found.before_name == found.after_name
    said = (
        f"is <b>{escape(found.after_name)}</b> with and without feedback"
        if same
        else f"was <b>{escape(found.before_name)}</b>, and with feedback is <b>{escape(found.after_name)}</b>"
    )
    figures = "".join(
        f'<figure><img src="{jpeg_uri(heat(image, values, found.box, found.patch))}" alt="{alt}">'
        f"<figcaption><b>{title}</b><br>{_probabilities(found.names, of_classes)}</figcaption></figure>"
        for title, alt, values, of_classes in (
            (
                f"Before: the host, {escape(found.host)}",
                "What the patch attends to without feedback",
                found.host_attention,
                found.before_probabilities,
            ),
            (
                f"After: feedback {escape(kind)}",
                "What the patch attends to with feedback",
                found.feedback_attention,
                found.after_probabilities,
            ),
        )
    )
    return (
        f"<p>The patch at {x:.0f}, {y:.0f} {said}. The maps show what it attends to: the darker, the more.</p>"
        f'<div class="maps">{figures}</div>'
    )


def _probabilities(names: tuple[str, ...], values: np.ndarray) -> str:
    order = np.argsort(-values, kind="stable")[:_NAMED]
    return ", ".join(f"{escape(names[index])} {values[index]:.0%}" for index in order)
