"""Makes the pictures of the README and the pages anew, from the commands themselves; gallery.py makes the gallery's.

python docs/pictures/make.py [demo] [explain] [method]
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

HERE = Path(__file__).parent
PHOTOGRAPHS = HERE.parents[1] / "src/feedseg/models/photographs"
WIDTHS = {"photographs": 1200, "demo": 1400}  # pixels, at most
ASTRONAUT = ("--labels", "person, flag, rocket, helmet, wall", "--no-background")

WORDS_OF_METHOD, AT_OF_METHOD = "person, tripod, grass, sky, building", (352, 245)


def feedseg(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "feedseg", *map(str, arguments)], check=True)


def keep(picture: Path, name: str, width: int, quality: int = 82) -> None:
    """Save a picture here as a JPEG, at most so wide."""
    with Image.open(picture) as sheet:
        sheet.thumbnail((width, sheet.height), Image.Resampling.LANCZOS)
        sheet.convert("RGB").save(HERE / f"{name}.jpg", quality=quality, optimize=True)


def demo(folder: Path) -> None:
    feedseg("demo", "--out", folder)
    for name, width in WIDTHS.items():
        keep(folder / f"{name}.png", name, width)


def explain(folder: Path) -> None:
    out = folder / "explain.png"
    feedseg("explain", PHOTOGRAPHS / "astronaut.jpg", *ASTRONAUT, "--feedback", "paper", "--at", "96,75", "--out", out)
    keep(out, "explain", 1200)


def method(folder: Path) -> None:
    """The stages of one patch in three figures, for the steps of docs/method.md."""
    from feedseg import Segmenter
    from feedseg.io.explained import draw_stages, panels, save_figure

    encoded = Segmenter.load("photo", device="cpu").encode(PHOTOGRAPHS / "camera.jpg")
    found = encoded.explain(WORDS_OF_METHOD, at=AT_OF_METHOD, feedback="paper")
    maps = panels(found)
    for name, chosen in (("before", maps[:3]), ("affinity", maps[3:6]), ("after", maps[6:])):
        figure = partial(draw_stages, chosen, found.box, found.at, found.patch, found.grid)
        keep(save_figure(figure, folder / f"{name}.png"), f"method-{name}", 1100)


PICTURES = {"demo": demo, "explain": explain, "method": method}


def main() -> None:
    with TemporaryDirectory() as folder:
        for name in sys.argv[1:] or PICTURES:
            PICTURES[name](Path(folder))


if __name__ == "__main__":
    main()
