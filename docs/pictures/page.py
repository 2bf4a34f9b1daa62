"""Makes the pictures of docs/page.md anew: the screenshots of the tests of the page.

python docs/pictures/page.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

HERE = Path(__file__).parent
TESTS = HERE.parents[1] / "tests/apps/page/test_browser.py"
WIDTH, QUALITY = 1000, 84


def main() -> None:
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "FEEDSEG_PICTURES": folder}
        subprocess.run([sys.executable, "-m", "pytest", str(TESTS)], check=True, env=environment)
        for path in sorted(Path(folder).glob("page-*.png")):
            with Image.open(path).convert("RGB") as shot:
                shot.thumbnail((WIDTH, shot.height), Image.Resampling.LANCZOS)
                shot.save(HERE / f"{path.stem}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
