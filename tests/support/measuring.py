"""Small data that the tests of evaluations measure: drawn scenes as files; and what journals hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from feedseg.engine.journal import JournalFolder
from feedseg.evaluation.measured import STEM, read_measurements, total
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS, draw_scene

CLASSES = (*PATTERNS, *BACKGROUNDS)
VARIANTS = ("none", "paper", "control")
QUICK = ("--model", "mini", "--device", "cpu", "--short-side", "48", "--window", "none")


def write_dataset(folder: Path, images: int = 4) -> Path:
    """Drawn scenes with masks, in which 255 does not count, and their TOML file, which is returned."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for index in range(images):
        scene = draw_scene(index, 64, things=(1, 2))
        words = (scene.background, *(thing.pattern for thing in scene.things))
        mask = np.array([CLASSES.index(word) for word in words], np.uint8)[scene.labels]
        mask[: index + 1] = 255
        Image.fromarray(scene.image).save(folder / f"images/{index}.png")
        Image.fromarray(mask).save(folder / f"masks/{index}.png")
    file = folder / "mine.toml"
    lines = ('images = "images/{id}.png"', 'masks = "masks/{id}.png"', "ignore_index = 255")
    file.write_text("\n".join((*lines, f"classes = {json.dumps(CLASSES)}", "")))
    return file


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    """The images of all journals, sorted by name, without what differs from run to run."""
    lines = [
        {**record.item, **(record.result or {"error": record.error})}
        for _, record in JournalFolder(folder, STEM).records()
    ]
    return [
        {key: value for key, value in line.items() if key not in ("seconds", "memory")}
        for line in sorted(lines, key=lambda line: line["name"])
    ]


def matrices(folder: Path, variants: Sequence[str] = VARIANTS) -> dict[str, list[list[int]]]:
    """Every variant's confusion matrix, from the journals."""
    measured = read_measurements(JournalFolder(folder, STEM)).measured.values()
    return {variant: total(measured, variant, len(CLASSES)).tolist() for variant in variants}
