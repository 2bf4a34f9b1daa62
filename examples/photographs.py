"""Segment photographs of PASCAL VOC without and with feedback, and lay them out on one sheet.

    python examples/photographs.py FOLDER [--out photographs]

FOLDER has a text-aligned model (its manifest feedseg.json, see docs/guide.md) and VOC2012/JPEGImages. The sheet is
photographs.png; what `feedseg segment` writes lies beside it. `feedseg demo` is the demonstration that needs nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageOps
from rich.console import Console

from feedseg import FeedsegError, Segmentation, Segmenter, Vocabulary
from feedseg.io.palette import palette
from feedseg.io.sheet import GREY, Colour, Entry, Panel, Sheet, draw_sheet, tinted

# What the tower was aligned with; walls and grass it does not know, so background is what is uncertain.
VOC = Vocabulary(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor".split(),
    threshold=0.5,
)
PHOTOGRAPHS = ("2007_004537", "2007_001149", "2007_007878", "2007_002611", "2007_006317", "2007_009295")
SIZE = (420, 315)  # width and height that photographs are fitted into
LISTED = 0.01  # a class is listed from this fraction of the photograph on


def photographs(root: Path, out: Path) -> Sheet:
    """The sheet; the results with feedback are saved."""
    segmenter = Segmenter.load(root)
    rows = []
    for name in PHOTOGRAPHS:
        photograph = root / f"VOC2012/JPEGImages/{name}.jpg"
        encoded = segmenter.encode(photograph)
        results = encoded.segment(VOC, feedback="none"), encoded.segment(VOC, feedback="paper")
        results[1].save(out)
        rows.append([fitted(Image.fromarray(results[0].image), [Entry(name)]), *map(drawn, results)])
    return Sheet(
        title="Photographs of PASCAL VOC",
        text=[f"{len(VOC.classes)} words; host {segmenter.encoder.host.name}. Pale is what no word fits."],
        legend=(),
        columns=[("photograph", ""), ("without feedback", "area in percent"), ("with feedback", "area in percent")],
        rows=rows,
        footnote=f"Classes on at least {LISTED:.0%} of the photograph are listed.",
    )


def drawn(result: Segmentation) -> Panel:
    """A result under its classes' colours, and what there is of them."""
    colours = palette(len(result.names), result.background)
    notes = []
    for label, (name, fraction) in enumerate(result.area_fractions.items()):
        red, green, blue = colours[label].tolist()
        swatch: Colour = (red, green, blue) if label else GREY
        if fraction >= LISTED:
            notes.append(Entry(f"{name} {100 * fraction:.0f}", swatch))
    return fitted(tinted(result.image, result.labels, colours), notes)


def fitted(image: Image.Image, notes: list[Entry]) -> Panel:
    """An image in a panel of the sheet's size."""
    return Panel(ImageOps.pad(image, SIZE, Image.Resampling.LANCZOS, color="white"), [notes])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("photographs"))
    arguments = parser.parse_args()
    try:
        with Console(stderr=True).status("segmenting photographs"):
            sheet = draw_sheet(photographs(arguments.folder, arguments.out))
        sheet.save(arguments.out / "photographs.png")
    except FeedsegError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print(f"Everything is in {arguments.out}; look at photographs.png first.")


if __name__ == "__main__":
    main()
