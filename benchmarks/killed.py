"""A program: `feedseg segment` killed at random moments and started again ends with the bytes of an undisturbed run.

    python benchmarks/killed.py [--images 200] [--kills 50] [--shards 1] [--seed 0]

Drawn scenes and the bundled toy model. The command is started, killed by SIGKILL (a fifth of the times while it starts,
else some time after it has begun to write) and started again, and at last left alone. Then every file of its folder is
compared with those of a run that nothing has happened to, and no temporary file may be left. Prints what was found;
the exit code is 1 where something differs.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from feedseg.evaluation.scenes import draw_scene

STARTING = 0.2  # of the kills
STATE = ".feedseg"  # the run's own folder in that of the results


@dataclass
class Found:
    """What the kills left behind, and what came of it."""

    kills: int = 0
    temporaries: int = 0  # files that were being written
    unfinished: int = 0  # images with some of their files, or with all and no line in the journal
    lines: list[int] = field(default_factory=list)  # in the journal after every kill
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    again: str = ""  # what the last summary said


def files(folder: Path) -> dict[str, bytes]:
    """Every file of the results by its path, without the run's own."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and STATE not in path.parts
    }


def temporaries(folder: Path) -> list[str]:
    """Files that were being written."""
    return sorted(path.name for path in folder.rglob(".feedseg-*") if path.is_file())


def draw(folder: Path, images: int) -> None:
    """Small scenes, so that writing takes much of the time."""
    folder.mkdir()
    for number in range(images):
        Image.fromarray(draw_scene(number, 64, things=(1, 2)).image).save(folder / f"{number:03}.png")


def command(out: str, shards: int) -> list[str]:
    """The command that is killed."""
    what = ["segment", "images", "--labels", "striped, dotted, bricks", "--model", "mini", "--device", "cpu"]
    return [sys.executable, "-m", "feedseg", *what, "--out", out, "--shards", f"{shards}"]


def killed_run(folder: Path, kills: int, shards: int, seed: int) -> Found:
    """Start and kill as often as asked, then let it end; `folder` has the images and what an undisturbed run made."""
    chance, found = random.Random(seed), Found()
    out = folder / "killed"
    journal = out / STATE / "run.jsonl"
    for _ in range(kills):
        before = journal.stat().st_size if journal.exists() else 0
        process = subprocess.Popen(
            command("killed", shards), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        if chance.random() < STARTING:
            _wait(process, chance.uniform(0, 3))
        else:
            while process.poll() is None and (journal.stat().st_size if journal.exists() else 0) == before:
                _wait(process, 0.005)
            _wait(process, chance.uniform(0, 0.5))
        process.kill()
        process.communicate()
        found.kills += process.returncode == -9
        found.temporaries += len(temporaries(out))
        found.lines.append(journal.read_bytes().count(b'"image"') if journal.exists() else 0)
        found.unfinished += len({name.split(".")[0] for name in files(out)} - {""}) - found.lines[-1]
    ended = subprocess.run(command("killed", shards), cwd=folder, capture_output=True, text=True, check=True)
    summary = next(line for line in ended.stdout.splitlines() if line.startswith("done"))
    found.again = summary.split("→ killed in")[1].strip()
    ours, theirs = files(out), files(folder / "undisturbed")
    found.different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    found.left = temporaries(out)
    return found


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "images", options.images)
        start = time.monotonic()
        subprocess.run(command("undisturbed", 1), cwd=folder, check=True, stdout=subprocess.DEVNULL)
        undisturbed = time.monotonic() - start
        found = killed_run(folder, options.kills, options.shards, options.seed)
        compared = len(files(folder / "undisturbed"))
    total = time.monotonic() - start
    print(f"{options.images} images, {found.kills} of {options.kills} starts killed, seed {options.seed}")
    print(f"results after the kills: {', '.join(map(str, found.lines))}")
    print(f"left by the kills: {found.temporaries} temporary files, {found.unfinished} images without a line")
    print(f"the last run took {found.again}")
    print(f"files compared: {compared}; different: {len(found.different)}; temporary files left: {len(found.left)}")
    print(f"seconds: {undisturbed:.0f} undisturbed, {total:.0f} in all")
    for name in found.different[:10]:
        print(f"different: {name}")
    return 1 if found.different or found.left or found.kills < options.kills else 0


if __name__ == "__main__":
    sys.exit(main())
