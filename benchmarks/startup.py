"""Part of `bench.py`: what a user waits for, in fresh processes.

CPU seconds (user and system) and seconds by the clock of `feedseg --help` and of the first image that a bundled model
segments: `photo` a photograph, `mini` a drawn scene.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from feedseg.evaluation.photographs import PHOTOGRAPHS
from feedseg.evaluation.report.tables import Table
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS, draw_scene
from parts import Figures, Part, Ratio, Setup, seconds_text
from timing import spread

MOST = {"help": 0.5, "first result": 3.0, "first result of photo": 3.0}  # CPU seconds


def run(arguments: Sequence[str], setup: Setup, cache: Path) -> tuple[float, float]:
    """CPU seconds and seconds of `feedseg` with these arguments."""
    environment = os.environ | {"OMP_NUM_THREADS": str(setup.threads), "FEEDSEG_CACHE": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled; here by the run before the first
    command = [sys.executable, "-m", "feedseg", *arguments]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    taken, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise SystemExit(f"feedseg {' '.join(arguments)} failed: {ended.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, taken


def measure_startup(setup: Setup) -> Figures:
    found: Figures = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        scene = folder / "scene.png"
        Image.fromarray(draw_scene(0, 192).image).save(scene)
        words = ("--labels", ", ".join(PATTERNS), "--background", ", ".join(BACKGROUNDS))
        segment = ("segment", str(scene), *words, "--model", "mini", "--device", setup.device)
        photograph = next(photograph for photograph in PHOTOGRAPHS if photograph.name == "chelsea")
        taken = folder / "photograph.jpg"
        Image.fromarray(photograph.read().pixels).save(taken)
        of_photo = ("segment", str(taken), "--labels", ", ".join(photograph.words), "--device", setup.device)
        first = {"first result": segment, "first result of photo": of_photo}
        commands = {"help": ("--help",)} | setup.size(first, {})  # which has no tiny size
        for what, arguments in commands.items():
            runs = []
            for number in range(setup.repeats + 1):  # each with an empty cache and an empty folder for its results
                out = ("--out", str(folder / f"{what} {number}")) if what in first else ()
                runs.append(run([*arguments, *out], setup, folder / f"cache {what} {number}"))
            runs = runs[1:]
            cpu, clock = zip(*runs, strict=True)
            found[what] = {"cpu": spread(cpu), "clock": spread(clock)}
    return found


def startup_tables(found: Figures) -> Sequence[Table]:
    rows = [(what, seconds_text(of["cpu"]), seconds_text(of["clock"])) for what, of in found.items()]
    return [Table("Starting", ("what", "CPU seconds", "seconds"), rows)]


def startup_ratios(found: Figures) -> Sequence[Ratio]:
    return [Ratio(f"CPU time, {what}", of["cpu"]["median"], "s", at_most=MOST[what]) for what, of in found.items()]


STARTUP = Part("startup", measure_startup, startup_tables, startup_ratios)
