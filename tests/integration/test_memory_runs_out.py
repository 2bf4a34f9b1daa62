"""A run under a limit of its memory: what does not fit fails in one line, and the others are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
PROGRAM = """
import resource, sys
from pathlib import Path
import torch
from feedseg.apps.cli import loading, run_segment
from feedseg.apps.cli.main import main

def limited(*arguments, **options):
    segmenter = loading.load_segmenter(*arguments, **options)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000, resource.RLIM_INFINITY))
    return segmenter

run_segment.load_segmenter = limited
sys.exit(main(sys.argv[1:]))
"""


def test_an_image_without_room_fails_alone_and_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name, side in (("a", 80), ("large", 7_000), ("z", 90)):
        Image.new("1", (side, side)).save(tmp_path / f"images/{name}.png")
    options = ["--model", "mini", "--labels", "striped, dotted", "--out", "out", "--workers", "1"]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "segment", "images", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    complaints = [line for line in ended.stderr.splitlines() if "memory" in line]
    assert len(complaints) == 1, ended.stderr
    assert complaints[0].startswith("feedseg: images/large.png: out of memory: ")
    assert "Traceback" not in ended.stderr
    assert "2 images → out" in ended.stdout
    assert sorted(path.name for path in (tmp_path / "out").glob("*.labels.png")) == ["a.labels.png", "z.labels.png"]
