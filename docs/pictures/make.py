"""Makes the pictures of the README and the guide anew, from `feedseg demo`.

python docs/pictures/make.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

HERE = Path(__file__).parent
WIDTHS = {"photographs": 1200, "demo": 1400}  # pixels, at most


def main() -> None:
    with TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "feedseg", "demo", "--out", folder], check=True)
        for name, width in WIDTHS.items():
            with Image.open(Path(folder, f"{name}.png")) as sheet:
                sheet.thumbnail((width, sheet.height), Image.Resampling.LANCZOS)
                sheet.convert("RGB").save(HERE / f"{name}.jpg", quality=82, optimize=True)


if __name__ == "__main__":
    main()
