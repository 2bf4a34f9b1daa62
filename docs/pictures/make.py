"""Makes the pictures of the README and the guide anew, from the commands themselves.

python docs/pictures/make.py [demo] [explain]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

HERE = Path(__file__).parent
PHOTOGRAPHS = HERE.parents[1] / "src/feedseg/models/photographs"
WIDTHS = {"photographs": 1200, "demo": 1400}  # pixels, at most
ASTRONAUT = ("--labels", "person, flag, rocket, helmet, wall", "--no-background")


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


PICTURES = {"demo": demo, "explain": explain}


def main() -> None:
    with TemporaryDirectory() as folder:
        for name in sys.argv[1:] or PICTURES:
            PICTURES[name](Path(folder))


if __name__ == "__main__":
    main()
