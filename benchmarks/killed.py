"""A program: a command killed at random moments and started again ends with the bytes of an undisturbed run.

    python benchmarks/killed.py [--command segment|evaluate|prepare|convert] [--images 200] [--kills 50] [--shards 1]
                                [--workers 1] [--seed 0]

Drawn scenes and the bundled toy model. The command is started, killed by SIGKILL (a fifth of the times while it starts,
else some time after it has begun to write) and started again, and at last left alone. Then every file of its folder is
compared with those of a run that nothing has happened to, and no temporary file may be left. A command that ends before
it is killed is compared too, and begins anew with an empty folder. Prints what was found; the exit code is 1 where
something differs. `--shards` are processes of `segment` and `evaluate`, `--workers` those of `prepare`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from feedseg.evaluation.scenes import draw_scene

STARTING = 0.2  # of the kills
STATE = ".feedseg"  # the run's own folder in that of the results
MEASURED = "scenes/images.jsonl"  # the journal of `evaluate`
TOY = ("--model", "mini", "--device", "cpu")


@dataclass
class Found:
    """What the kills left behind, and what came of it."""

    kills: int = 0
    ended: int = 0  # starts that ended before they were killed
    temporaries: int = 0  # files that were being written
    unfinished: int = 0  # images with some of their files, or with all and no line in the journal
    lines: list[int] = field(default_factory=list)  # results after every kill
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


def measured(folder: Path) -> dict[str, bytes]:
    """What `evaluate` has measured of every image, without seconds and memory; what is there twice is told."""
    found: dict[str, bytes] = {}
    for number, line in enumerate((folder / MEASURED).read_bytes().splitlines()):
        content = json.loads(line)
        for passing in ("seconds", "memory"):
            content.get("result", {}).pop(passing, None)
        name = content["item"]["name"] if "item" in content else "fingerprint"
        found[f"{name}, again in line {number}" if name in found else name] = json.dumps(content).encode()
    return found


def temporaries(folder: Path) -> list[str]:
    """Files that were being written."""
    return sorted(path.name for path in folder.rglob(".feedseg-*") if path.is_file())


def draw(folder: Path, images: int) -> None:
    """Small scenes, so that writing takes much of the time."""
    folder.mkdir()
    for number in range(images):
        Image.fromarray(draw_scene(number, 64, things=(1, 2)).image).save(folder / f"{number:03}.png")


def command(out: str, shards: int) -> list[str]:
    """`feedseg segment` into a folder."""
    what = ["segment", "images", "--labels", "striped, dotted, bricks", *TOY]
    return [sys.executable, "-m", "feedseg", *what, "--out", out, "--shards", f"{shards}"]


def draw_masks(folder: Path, masks: int) -> None:
    """Masks as COCO-Stuff's are downloaded, of values that have a meaning."""
    (folder / "masks/val2017").mkdir(parents=True)
    for number in range(masks):
        values = np.random.default_rng(number).choice([0, 1, 2, 9, 91, 181, 255], (64, 64)).astype(np.uint8)
        Image.fromarray(values).save(folder / f"masks/val2017/{number:012}.png")


def segmented(folder: Path, images: int) -> None:
    """Images, and their results."""
    draw(folder / "images", images)
    subprocess.run(command("results", 1), cwd=folder, check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True)
class Subject:
    """A command that is killed."""

    begin: Callable[[Path, int], None]  # makes its inputs in a folder, so many
    command: Callable[[str, int, int], list[str]]  # into a folder, with so many processes, for so many inputs
    content: Callable[[Path], Mapping[str, bytes]] = files  # of what it made, by name
    results: Callable[[Path], int] = lambda out: len(files(out))  # how many it has made


def _lines(journal: Path) -> int:
    return journal.read_bytes().count(b'"item":') if journal.exists() else 0


def _feedseg(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "feedseg", *arguments]


SUBJECTS = {
    "segment": Subject(
        lambda folder, images: draw(folder / "images", images),
        lambda out, processes, _: command(out, processes),
        results=lambda out: sum(path.read_bytes().count(b'"image"') for path in out.glob(f"{STATE}/*.jsonl")),
    ),
    "evaluate": Subject(
        lambda folder, images: None,
        lambda out, processes, images: _feedseg(
            "evaluate", "scenes", "--limit", f"{images}", *TOY, "--out", out, "--shards", f"{processes}"
        ),
        measured,
        lambda out: sum(map(_lines, out.glob("scenes/*.jsonl"))),
    ),
    "prepare": Subject(
        draw_masks,
        lambda out, processes, _: _feedseg("data", "prepare", "coco-stuff", "masks", out, "--workers", f"{processes}"),
    ),
    "convert": Subject(
        segmented,
        lambda out, _, __: _feedseg(
            "convert", "results", "--format", "masks", "--format", "coco", "--format", "csv", "--out", out
        ),
    ),
}


def killed_run(
    folder: Path, kills: int, shards: int, seed: int, subject: Subject = SUBJECTS["segment"], images: int = 0
) -> Found:
    """Start and kill as often as asked, then let it end; `folder` has the images and what an undisturbed run made."""
    chance, found = random.Random(seed), Found()
    out, again = folder / "killed", subject.command("killed", shards, images)
    theirs = subject.content(folder / "undisturbed")

    def compare() -> None:
        ours = subject.content(out)
        found.different += sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
        found.left += temporaries(out)

    while found.kills < kills and found.ended < 3 * kills:
        before = written(out)
        with (folder / "told").open("wb") as told:  # no pipe: the processes of one that is killed hold it for a while
            process = subprocess.Popen(again, cwd=folder, stdout=subprocess.DEVNULL, stderr=told)
        if chance.random() < STARTING:
            _wait(process, chance.uniform(0, 3))
        else:
            while process.poll() is None and written(out) == before:
                _wait(process, 0.005)
            _wait(process, chance.uniform(0, 0.5))
        process.kill()
        process.wait()
        if process.returncode != -9:
            if process.returncode:
                raise SystemExit(f"exit code {process.returncode}: {(folder / 'told').read_text('utf-8')}")
            compare()
            shutil.rmtree(out)
            found.ended += 1
            continue
        found.kills += 1
        found.temporaries += len(temporaries(out))
        found.lines.append(subject.results(out))
        if subject is SUBJECTS["segment"]:
            found.unfinished += len({name.split(".")[0] for name in files(out)} - {""}) - found.lines[-1]
    ended = subprocess.run(again, cwd=folder, capture_output=True, text=True, check=True)
    summary = (line for line in ended.stdout.splitlines() if line.startswith("done"))
    found.again = next(summary, "").split("→ killed in")[-1].strip()
    compare()
    return found


def written(out: Path) -> tuple[int, int]:
    """What changes whenever something is written below a folder: how much is there, and since when."""
    if not out.is_dir():
        return 0, 0
    size, latest = 0, 0
    for path in out.rglob("*"):
        try:
            about = path.stat()
        except OSError:  # a temporary file that has its name by now
            continue
        if not path.name.endswith(".lock") and path.is_file():
            size, latest = size + about.st_size, max(latest, about.st_mtime_ns)
    return size, latest


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", choices=SUBJECTS, default="segment")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--shards", "--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    subject = SUBJECTS[options.command]
    with TemporaryDirectory() as name:
        folder = Path(name)
        subject.begin(folder, options.images)
        start = time.monotonic()
        undisturbed_run = subject.command("undisturbed", 1, options.images)
        subprocess.run(undisturbed_run, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        undisturbed = time.monotonic() - start
        found = killed_run(folder, options.kills, options.shards, options.seed, subject, options.images)
        compared = len(subject.content(folder / "undisturbed"))
    total = time.monotonic() - start
    print(f"{options.command}: {options.images} inputs, {found.kills} of {options.kills} starts killed, ", end="")
    print(f"{found.ended} ended before, seed {options.seed}")
    print(f"results after the kills: {', '.join(map(str, found.lines))}")
    print(f"left by the kills: {found.temporaries} temporary files, {found.unfinished} images without a line")
    print(f"the last run took {found.again}")
    print(f"compared: {compared}; different: {len(found.different)}; temporary files left: {len(found.left)}")
    print(f"seconds: {undisturbed:.0f} undisturbed, {total:.0f} in all")
    for name in found.different[:10]:
        print(f"different: {name}")
    return 1 if found.different or found.left or found.kills < options.kills else 0


if __name__ == "__main__":
    sys.exit(main())
