"""Small data that the evaluation's tests measure: drawn scenes as files, and the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from feedseg.apps.cli.main import main
from feedseg.engine.journal import read_journals, total
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS, draw_scene

CLASSES = (*PATTERNS, *BACKGROUNDS)
QUICK = ("--model", "mini", "--device", "cpu", "--short-side", "48", "--window", "none")


def write_dataset(folder: Path, pictures: int = 4) -> Path:
    """Drawn scenes with masks, in which 255 does not count, and their TOML file, which is returned."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(pictures):
        scene = draw_scene(index, 64, things=(1, 2))
        words = (scene.background, *(thing.pattern for thing in scene.things))
        mask = np.array([CLASSES.index(word) for word in words], np.uint8)[scene.labels]
        mask[: index + 1] = 255
        Image.fromarray(scene.picture).save(folder / f"images/{index}.png")
        Image.fromarray(mask).save(folder / f"masks/{index}.png")
    file = folder / "mine.toml"
    lines = ('images = "images/{id}.png"', 'masks = "masks/{id}.png"', "ignore_index = 255")
    file.write_text("\n".join((*lines, f"classes = {json.dumps(CLASSES)}", "")))
    return file


def evaluate(*arguments: object) -> int:
    """`feedseg evaluate` with the toy model; returns the exit code."""
    return main(["evaluate", *QUICK, *map(str, arguments)])


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    """The pictures of all journals, sorted by name, without what differs from run to run."""
    lines = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()[1:]]
    return [
        {key: value for key, value in line.items() if key not in ("seconds", "memory")}
        for line in sorted(lines, key=lambda line: line["name"])
    ]


def matrices(folder: Path, variants: Sequence[str] = ("without", "feedback", "control")) -> dict[str, list[list[int]]]:
    """Every variant's confusion matrix, from the journals."""
    measured = read_journals(folder).measured.values()
    return {variant: total(measured, variant, len(CLASSES)).tolist() for variant in variants}
