"""The figure of docs/calibrated.md: a patch of a drawn scene, and the others that calibrated feedback joins it with.

    python examples/calibrated_feedback.py [--out docs/pictures/calibrated.png]

Panels: the scene with the patch framed; the host's attention of that patch, averaged over its heads; how alike the
patches' evidence is; their product, F; the predictions before and after; and the agreement within F, patch by patch.
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
from feedseg.io.palette import far_apart
from feedseg.vision.feedback.base import HostAttention
from feedseg.vision.feedback.calibrated import distances, nearest_distance

SCENE, SIDE = 9, 192
PANEL, GAP, TITLE = 224, 16, 44  # pixels
DARK = np.array([0, 68, 136])  # of the scale from white, readable for the colour-blind


def heat(values: np.ndarray) -> Image.Image:
    """Values on the grid as shades of one colour, from the smallest to the largest."""
    part = ((values - values.min()) / max(float(np.ptp(values)), 1e-9))[..., None]
    return Image.fromarray((255 - part * (255 - DARK)).round().astype(np.uint8))


def predicted(logits: torch.Tensor) -> Image.Image:
    """Every patch in its class's colour."""
    labels = logits.argmax(dim=0).numpy()
    return Image.fromarray(far_apart(len(PATTERNS) + len(BACKGROUNDS))[labels].astype(np.uint8))


@torch.inference_mode()
def panels() -> list[tuple[str, Image.Image]]:
    """Titles and images."""
    scene = draw_scene(np.random.default_rng((7, SCENE)), SIDE, (2, 3), HELD_OUT)
    segmenter = Segmenter.load("mini", host="clearclip", feedback="none", device="cpu")
    text = segmenter.embed(Vocabulary([*PATTERNS, *BACKGROUNDS]))
    ((_, window),) = segmenter.encode(scene.image).windows
    height, width = window.grid
    y, x = np.argwhere(scene.labels == 1).mean(axis=0) / SIDE * (height, width)
    patch = int(y) * width + int(x)

    seen: dict[str, np.ndarray] = {}

    class Watched(CalibratedFeedback):
        """The same, which keeps what it computed."""

        def ensemble(self, host: HostAttention, isolated: torch.Tensor) -> torch.Tensor:
            weights = self.affinity(host, isolated)(slice(None))[0]
            direction = torch.nn.functional.normalize(isolated[0].softmax(dim=-1), dim=-1)
            bandwidth = self.bandwidth * nearest_distance(isolated, self.nearest)[0]
            alike = (distances(isolated)[0] / -bandwidth).exp()
            attention = host.among_patches()
            assert attention is not None
            seen["host"] = attention[0, patch].numpy()
            seen["alike"] = alike[patch].numpy()
            seen["F"] = weights[patch].numpy()
            seen["agreement"] = (weights * (direction @ direction.T)).sum(dim=-1).numpy()
            return super().ensemble(host, isolated)

    before, after = window.logits(text, None), window.logits(text, Watched())
    assert torch.equal(after, window.logits(text, CalibratedFeedback()))
    image = Image.fromarray(scene.image).resize((PANEL, PANEL), Image.Resampling.BICUBIC)
    top, left = int(y) * PANEL / height, int(x) * PANEL / width
    frame = (left, top, left + PANEL / width, top + PANEL / height)
    ImageDraw.Draw(image).rectangle(frame, outline="black", width=3)
    grid = {name: heat(values.reshape(height, width)) for name, values in seen.items()}
    return [
        ("a scene, and one patch", image),
        ("A: what the host attends to", grid["host"]),
        ("alike in evidence", grid["alike"]),
        ("F: attended, alike, same class", grid["F"]),
        ("predictions of the host", predicted(before)),
        ("agreement within F (white: least)", grid["agreement"]),
        ("predictions with feedback", predicted(after)),
        ("the target", target(scene.labels, scene.background, [thing.pattern for thing in scene.things])),
    ]


def target(labels: np.ndarray, background: str, patterns: list[str]) -> Image.Image:
    names = [*PATTERNS, *BACKGROUNDS]
    classes = np.array([names.index(name) for name in (background, *patterns)])
    return Image.fromarray(far_apart(len(names))[classes[labels]].astype(np.uint8))


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
