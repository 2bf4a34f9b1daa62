"""Which objects feedback helps and which it hurts: `python -m research.mini.why FOLDER` from the repository's root.

On scenes of their own (another split than the reported one), by the size of the objects: how much of a patch's feedback
attention falls on patches of its own class, and how many of the objects' pixels are predicted right without and with
feedback. Then the same hosts with other constants.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from research.mini.evaluate import HOSTS, TASKS, draw_split, load_host, measure
from rich.console import Console
from rich.table import Table
from torch.nn.functional import interpolate

from feedseg import FSAFeedback, Segmenter
from feedseg.evaluation.metrics.bootstrap import gain_interval
from feedseg.evaluation.scenes import Scene

EXPLORED = 12  # seed of the split
TASK = TASKS[1]
BINS = ((0, 6), (6, 12), (12, 24), (24, 196))  # patches of the 14 x 14 that an object covers
SETTINGS = {
    f"{scale:g}, {isolation:g}, {keep:g}": FSAFeedback(scale, isolation, keep)
    for (scale, isolation), keep in product(((20, 35), (7, 12.25), (40, 10)), (0.05, 0.15, 0.45))
}


@torch.inference_mode()
def by_size(segmenter: Segmenter, scenes: Sequence[Scene]) -> np.ndarray:
    """For each bin and the background sums over patches, purity, pixels, right ones without and with; (bins + 1, 5)."""
    sums = np.zeros((len(BINS) + 1, 5))
    text, paper = segmenter.embed(TASK.vocabulary), FSAFeedback()
    for scene in scenes:
        encoded = segmenter.encode(scene.image)
        ((_, window),) = encoded.windows
        target = TASK.target(scene)
        layers = torch.stack([torch.from_numpy(scene.labels == label) for label in range(len(scene.names))]).float()
        areas = interpolate(layers[None], size=window.grid, mode="area")[0].flatten(1).T  # (N, background and objects)
        words = [
            int(target[scene.labels == label][0]) if (scene.labels == label).any() else -1
            for label in range(len(scene.names))
        ]
        same = torch.tensor([[one == other for other in words] for one in words]).float()
        weights = window.affinity(text, paper)  # (N, N)
        label_of = areas.argmax(dim=1)
        purity = (weights @ areas @ same)[torch.arange(len(label_of)), label_of].numpy()
        preds = [encoded.segment(TASK.vocabulary, feedback=feedback).labels for feedback in ("none", paper)]
        for label in range(len(scene.names)):
            inside, size = scene.labels == label, float(areas[:, label].sum())
            row = len(BINS) if label == 0 else next(row for row, (_, most) in enumerate(BINS) if size <= most)
            own = (label_of == label).numpy()
            right = [np.count_nonzero(pred[inside] == target[inside]) for pred in preds]
            sums[row] += (own.sum(), purity[own].sum(), inside.sum(), *right)
    return sums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=120)
    scenes = draw_split(EXPLORED, options.scenes)
    names = [f"{low} to {high}" for low, high in BINS] + ["background"]
    table = Table("host", *names, title="purity of F, percent; pixels predicted right without -> with, percent")
    others = Table("scale, isolation, p", *(_title(*one) for one in HOSTS), title="gain of mIoU, points")
    gains: dict[str, list[str]] = {name: [] for name in SETTINGS}
    for host, proxy in HOSTS:
        segmenter = load_host(options.folder, host, proxy, 112)
        cells = [
            f"{100 * purity / max(patches, 1):.0f}; {100 * before / pixels:.1f} -> {100 * after / pixels:.1f}"
            for patches, purity, pixels, before, after in by_size(segmenter, scenes)
        ]
        table.add_row(_title(host, proxy), *cells)
        found = measure(segmenter, scenes, {"without": "none", **SETTINGS}, [TASK])
        for name in SETTINGS:
            gain = gain_interval(found[TASK.name, name], found[TASK.name, "without"])
            gains[name].append(f"{100 * gain.value:+.1f}\n±{50 * (gain.high - gain.low):.1f}")
    for name, row in gains.items():
        others.add_row(name, *row)
    console.print(table)
    console.print(others)


def _title(host: str, proxy: Any) -> str:
    return host if proxy is None else f"{host}, {proxy}"


if __name__ == "__main__":
    main()
