"""The figure of docs/calibrated.md: a patch of a drawn scene, and with which others the calibrated feedback reads it.

    python examples/calibrated_feedback.py [--out docs/pictures/calibrated.png]

Panels: the scene with the patch framed; the host's attention of that patch, averaged over its heads; how alike the
patches' evidence is; their product, F; what the patches are named before and after; and how far each patch trusts F.
Darker is more; each panel has a scale of its own, from its smallest to its largest value.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from feedseg import CalibratedFeedback, Segmenter, Vocabulary
from feedseg.evaluation.scenes import BACKGROUNDS, HELD_OUT, PATTERNS, draw_scene
from feedseg.io.images import read_picture, resized
from feedseg.io.overlay import palette
from feedseg.vision.feedback.base import LastAttention
from feedseg.vision.feedback.calibrated import distances, nearest_distance

SCENE, SIDE = 9, 192
PANEL, GAP, TITLE = 224, 16, 44  # pixels
DARK = np.array([0, 68, 136])  # of the scale from white, readable for the colour-blind


def heat(values: np.ndarray) -> Image.Image:
    """Values on the grid as shades of one colour, from the smallest to the largest."""
    share = ((values - values.min()) / max(float(np.ptp(values)), 1e-9))[..., None]
    return Image.fromarray((255 - share * (255 - DARK)).round().astype(np.uint8))


def named(logits: torch.Tensor) -> Image.Image:
    """Every patch in its class's colour."""
    labels = logits.argmax(dim=0).numpy()
    return Image.fromarray(palette(len(PATTERNS) + len(BACKGROUNDS), False)[labels].astype(np.uint8))


@torch.inference_mode()
def panels() -> list[tuple[str, Image.Image]]:
    """Titles and pictures."""
    scene = draw_scene(np.random.default_rng((7, SCENE)), SIDE, (2, 3), HELD_OUT)
    segmenter = Segmenter.load("mini", host="clearclip", feedback="none", device="cpu")
    feedback = CalibratedFeedback()
    text = segmenter.embed(Vocabulary([*PATTERNS, *BACKGROUNDS]))
    side = segmenter.settings.short_side
    reading = segmenter.open_pixels([resized(read_picture(scene.picture), (side, side))])[0].reading
    height, width = reading.grid
    y, x = np.argwhere(scene.labels == 1).mean(axis=0) / SIDE * (height, width)
    patch = int(y) * width + int(x)

    seen: dict[str, np.ndarray] = {}

    class Watched(CalibratedFeedback):
        """The same, remembering what it saw."""

        def refine(self, last: LastAttention, isolated: torch.Tensor) -> torch.Tensor:
            weights = self.correspondence(last, isolated)(slice(None))[0]
            direction = torch.nn.functional.normalize(isolated[0].softmax(dim=-1), dim=-1)
            bandwidth = self.bandwidth * nearest_distance(isolated, self.nearest)[0]
            alike = (distances(isolated)[0] / -bandwidth).exp()
            attention = last.among_patches()
            assert attention is not None
            seen["host"] = attention[0, patch].numpy()
            seen["alike"] = alike[patch].numpy()
            seen["F"] = weights[patch].numpy()
            seen["trust"] = (weights * (direction @ direction.T)).sum(dim=-1).numpy()
            return super().refine(last, isolated)

    before, after = reading.logits(text, None)[0], reading.logits(text, Watched())[0]
    assert torch.equal(after, reading.logits(text, feedback)[0])
    picture = Image.fromarray(scene.picture).resize((PANEL, PANEL), Image.Resampling.BICUBIC)
    top, left = int(y) * PANEL / height, int(x) * PANEL / width
    frame = (left, top, left + PANEL / width, top + PANEL / height)
    ImageDraw.Draw(picture).rectangle(frame, outline="black", width=3)
    grid = {name: heat(values.reshape(height, width)) for name, values in seen.items()}
    return [
        ("a scene, and one patch", picture),
        ("A: what the host reads it with", grid["host"]),
        ("alike in evidence", grid["alike"]),
        ("F: attended, alike, of one name", grid["F"]),
        ("named by the first reading", named(before)),
        ("trust in F (white: the least)", grid["trust"]),
        ("named by the second reading", named(after)),
        ("the truth", truth(scene.labels, scene.background, [thing.pattern for thing in scene.things])),
    ]


def truth(labels: np.ndarray, background: str, patterns: list[str]) -> Image.Image:
    names = [*PATTERNS, *BACKGROUNDS]
    classes = np.array([names.index(name) for name in (background, *patterns)])
    return Image.fromarray(palette(len(names), False)[classes[labels]].astype(np.uint8))


def figure(found: list[tuple[str, Image.Image]], columns: int = 4) -> Image.Image:
    """The panels in rows, their titles above them."""
    rows = -(-len(found) // columns)
    sheet = Image.new("RGB", (GAP + columns * (PANEL + GAP), rows * (PANEL + TITLE) + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, (title, panel) in enumerate(found):
        left, top = GAP + index % columns * (PANEL + GAP), TITLE + index // columns * (PANEL + TITLE)
        draw.text((left, top - 20), title, "black", font)
        sheet.paste(panel.resize((PANEL, PANEL), Image.Resampling.NEAREST), (left, top))
        draw.rectangle((left, top, left + PANEL - 1, top + PANEL - 1), outline="#6b7078")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/calibrated.png"))
    options = parser.parse_args()
    figure(panels()).save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
