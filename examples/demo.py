"""Segment real photographs by name, without and with feedback, and put them side by side in one picture.

    python examples/demo.py [--root ../shared/realbench] [--out demo-out]

Needs the folder with text-aligned DINOv2 weights and PASCAL VOC photographs; without it, says so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track
from rich.table import Table

from feedseg import Segmentation, Segmenter, Vocabulary

# What this tower was aligned with; words for walls and grass it does not know, so the background is what is uncertain.
VOCABULARY = Vocabulary(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor".split(),
    threshold=0.5,
)
PHOTOGRAPHS = ("2007_004537", "2007_001149", "2007_007878", "2007_002611", "2007_006317", "2007_009295")
HEIGHT, GAP, TITLE = 360, 12, 34


def sheet(rows: list[tuple[Segmentation, Segmentation]]) -> Image.Image:
    """Rows of photograph, result without and result with feedback, under a title each."""
    columns = [
        [Image.fromarray(plain.picture) for plain, _ in rows],
        [plain.overlay() for plain, _ in rows],
        [refined.overlay() for _, refined in rows],
    ]
    scaled = [
        [cell.resize((round(cell.width * HEIGHT / cell.height), HEIGHT)) for cell in column] for column in columns
    ]
    widths = [max(cell.width for cell in column) for column in scaled]
    size = (sum(widths) + GAP * (len(widths) + 1), TITLE + (HEIGHT + GAP) * len(rows))
    picture = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(20)
    left = GAP
    for title, column, width in zip(("photograph", "without feedback", "with feedback"), scaled, widths, strict=True):
        draw.text((left, 6), title, fill="black", font=font)
        for index, cell in enumerate(column):
            picture.paste(cell, (left, TITLE + index * (HEIGHT + GAP)))
        left += width + GAP
    return picture


def fitted(picture: Image.Image) -> Image.Image:
    """At the height of a row."""
    return picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    parser.add_argument("--out", type=Path, default=Path("demo-out"))
    arguments = parser.parse_args()
    if not (arguments.root / "feedseg.json").is_file():
        raise SystemExit(
            f"The demo needs weights and photographs, and {arguments.root} is not there. On pictures of your own, with "
            "weights from the hub: feedseg segment photo.jpg --labels 'cat, sofa'"
        )
    console = Console()
    with console.status("loading the weights"):
        refined = Segmenter.load(arguments.root)
        plain = Segmenter.load(refined.model, feedback=False)
    table = Table("photograph", "class", "without", "with feedback", title="Share of the picture, percent")
    rows = []
    for name in track(PHOTOGRAPHS, description="segmenting", console=console, disable=not console.is_terminal):
        photograph = arguments.root / f"VOC2012/JPEGImages/{name}.jpg"
        pair = plain(photograph, VOCABULARY), refined(photograph, VOCABULARY)
        pair[1].save(arguments.out)
        rows.append(pair)
        found = [word for word in VOCABULARY.names if any(result.shares[word] >= 0.01 for result in pair)]
        for word in found:
            shares = (f"{100 * result.shares[word]:.1f}" for result in pair)
            table.add_row(name if word is found[0] else "", word, *shares, end_section=word is found[-1])
    overview = arguments.out / "demo.png"
    sheet(rows).save(overview)
    console.print(table)
    console.print(f"Everything is in {arguments.out}; look at {overview} first.")


if __name__ == "__main__":
    main()
