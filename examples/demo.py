"""Segment drawn scenes by name with the model in the package, and real photographs where they are.

    python examples/demo.py [--out demo-out] [--photographs ../shared/realbench]

Writes `scenes.png`: each scene, its true segmentation, CLIP's own attention without and with feedback, ProxyCLIP's with
it, mIoU above them. Where the folder has text-aligned DINOv2 weights and photographs of PASCAL VOC, also
`photographs.png`. Needs no network.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from feedseg import Segmenter, Vocabulary
from feedseg.drawing import overlay
from feedseg.evaluation.metrics import confusion_matrix, intersection_over_union
from feedseg.scenes import BACKGROUNDS, PATTERNS, draw_scene

SCENES, SIDE = (0, 1, 2, 3), 256  # the first ones, not chosen ones
# What the photographs' tower was aligned with; walls and grass it does not know, so background is what is uncertain.
VOC = Vocabulary(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor".split(),
    threshold=0.5,
)
PHOTOGRAPHS = ("2007_004537", "2007_001149", "2007_007878", "2007_002611", "2007_006317", "2007_009295")
HEIGHT, GAP, TITLE = 360, 12, 30
Cell = tuple[str, Image.Image]


def scenes(console: Console, out: Path) -> None:
    """Scenes of the project's own generator, named by the things' patterns and the backgrounds."""
    words = Vocabulary([*PATTERNS, *BACKGROUNDS])
    segmenters = {
        "CLIP": Segmenter.load("mini", host="clip", feedback=False),
        "CLIP with feedback": Segmenter.load("mini", host="clip"),
        "ProxyCLIP with feedback": Segmenter.load("mini", host="proxyclip"),
    }
    table = Table("scene", *segmenters, title=f"mIoU of the classes there, percent; {len(words.names)} words")
    rows: list[list[Cell]] = []
    for seed in SCENES:
        scene = draw_scene(seed, SIDE)
        of_label = [scene.background, *(thing.pattern for thing in scene.things)]
        truth = np.array([words.names.index(name) for name in of_label], np.uint8)[scene.labels]
        results = {name: segmenter(scene.picture, words) for name, segmenter in segmenters.items()}
        scores = {name: iou_of_what_is_there(truth, result.labels) for name, result in results.items()}
        results["ProxyCLIP with feedback"].save(out, f"scene-{seed}")
        table.add_row(str(seed), *(f"{100 * score:.0f}" for score in scores.values()))
        drawn = [
            (f"scene {seed}", Image.fromarray(scene.picture)),
            ("truth", overlay(scene.picture, truth, words.names)),
        ]
        rows.append(drawn + [(f"{name}: {100 * scores[name]:.0f}", results[name].overlay()) for name in results])
    sheet(rows).save(out / "scenes.png")
    console.print(table)


def iou_of_what_is_there(truth: np.ndarray, labels: np.ndarray) -> float:
    """The mean intersection over union of the classes that occur in the truth, 0 to 1."""
    confusion = confusion_matrix(truth, labels, int(max(truth.max(), labels.max())) + 1)
    return float(intersection_over_union(confusion)[confusion.sum(axis=1) > 0].mean())


def photographs(console: Console, out: Path, root: Path) -> None:
    """Real photographs, named by the classes of PASCAL VOC."""
    refined = Segmenter.load(root)
    plain = Segmenter.load(refined.model, feedback=False)
    table = Table("photograph", "found, share in percent without → with feedback")
    rows: list[list[Cell]] = []
    for name in PHOTOGRAPHS:
        photograph = root / f"VOC2012/JPEGImages/{name}.jpg"
        pair = plain(photograph, VOC), refined(photograph, VOC)
        pair[1].save(out)
        found = [word for word in VOC.names if any(result.shares[word] >= 0.01 for result in pair)]
        shares = ((word, *(100 * result.shares[word] for result in pair)) for word in found)
        table.add_row(name, ", ".join(f"{word} {before:.0f} → {after:.0f}" for word, before, after in shares))
        pictures = (Image.fromarray(pair[0].picture), *(result.overlay() for result in pair))
        rows.append(list(zip((name, "without feedback", "with feedback"), pictures, strict=True)))
    sheet(rows).save(out / "photographs.png")
    console.print(table)


def sheet(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """Pictures in rows, each under its title, all of one height."""
    scaled = [[(title, at_height(picture)) for title, picture in row] for row in rows]
    widths = [max(row[column][1].width for row in scaled) for column in range(len(scaled[0]))]
    page = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), (TITLE + HEIGHT + GAP) * len(rows)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(18)
    for number, row in enumerate(scaled):
        left, top = GAP, number * (TITLE + HEIGHT + GAP)
        for (title, picture), width in zip(row, widths, strict=True):
            draw.text((left, top + 5), title, fill="black", font=font)
            page.paste(picture, (left, top + TITLE))
            left += width + GAP
    return page


def at_height(picture: Image.Image) -> Image.Image:
    """A picture at the height of a row."""
    return picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    parser.add_argument("--photographs", type=Path, default=Path("../shared/realbench"))
    arguments = parser.parse_args()
    console = Console()
    with console.status("segmenting drawn scenes"):
        scenes(console, arguments.out)
    made = "scenes.png"
    if (arguments.photographs / "feedseg.json").is_file():
        with console.status("segmenting photographs"):
            photographs(console, arguments.out, arguments.photographs)
        made = "scenes.png and photographs.png"
    console.print(f"Everything is in {arguments.out}; look at {made} first.")


if __name__ == "__main__":
    main()
