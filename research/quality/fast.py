"""What `--speed fast` saves and what it costs: mIoU and CPU time against overlapping windows, on the same images.

    python -m research.quality.fast [--photographs 100] [--scenes 200] [--root ../shared/realbench]

Feedback is on. Photographs: the development split of a folder with a manifest and PASCAL VOC's layout, where it is
there, by the voc20 protocol, for proxyclip with the tower's own tokens and for naclip, with their papers' windows.
Scenes: drawn 3 : 2, for the bundled model in windows of the side that its images usually have, every 40 pixels, words
for patterns and backgrounds, a split that nothing else is reported on. Prints mIoU of both, the difference with its
paired 95 % bootstrap interval, and the ratio of the CPU time of all images, in one thread, each image by both settings
in turn; words are embedded before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from research.quality.photographs import VOC, VOID, image_path, listed, target_of
from rich.console import Console
from rich.table import Table

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.metrics.bootstrap import ImageAreas, gain_interval
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.scenes import BACKGROUNDS, HELD_OUT, PATTERNS, draw_scene
from feedseg.io.images import RgbImage, read_image
from feedseg.vision.hosts import HOSTS

SCENES = Settings(short_side=112, window=112, stride=40)
SPLIT, SIZE = 13, (192, 288)  # of the scenes
Examples = Iterable[tuple[RgbImage, np.ndarray]]


def scenes(count: int) -> Examples:
    """Drawn scenes and their classes: patterns, then backgrounds."""
    names = [*PATTERNS, *BACKGROUNDS]
    for index in range(count):
        scene = draw_scene(np.random.default_rng((SPLIT, index)), SIZE, (3, 6), HELD_OUT)
        classes = [names.index(name) for name in (scene.background, *(thing.pattern for thing in scene.things))]
        yield read_image(scene.image), np.array(classes)[scene.labels]


def photographs(root: Path, split: str, count: int) -> Examples:
    """Photographs of a split and their classes; background and void are ignored."""
    for name in listed(root, split)[:count]:
        target = target_of(root, name).astype(np.int64)
        yield read_image(image_path(root, name)), np.where((target == 0) | (target == VOID), VOID, target - 1)


def measure(segmenter: Segmenter, words: Vocabulary, examples: Examples) -> dict[str, float]:
    """Figures by name: mIoU and its difference in points, seconds of CPU time for an image, and their ratio."""
    ways = {"protocol": segmenter.settings, "fast": segmenter.settings.fast()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    seconds = dict.fromkeys(ways, 0.0)
    segmenter(np.zeros((64, 64, 3), np.uint8), words)  # what only the first image costs does not count
    for image, target in examples:
        for name, settings in ways.items():
            start = time.process_time()
            result = segmenter(image, words, settings=settings)
            seconds[name] += time.process_time() - start
            found[name].append(confusion_matrix(target, result.labels, len(words.names), VOID))
    areas = {name: ImageAreas.of(np.stack(confusions)) for name, confusions in found.items()}
    gain = gain_interval(areas["fast"], areas["protocol"])
    count = len(found["fast"])
    figures = {f"{name}_miou": 100 * gain_interval(areas[name], None).value for name in ways}
    figures |= {"difference": 100 * gain.value, "difference_low": 100 * gain.low, "difference_high": 100 * gain.high}
    figures |= {f"{name}_cpu_seconds": seconds[name] / count for name in ways}
    return figures | {"cpu_ratio": seconds["protocol"] / seconds["fast"], "images": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    jobs: list[tuple[str, str, str, Settings, Vocabulary, Examples]] = [
        ("scenes", "proxyclip", "mini", SCENES, Vocabulary([*PATTERNS, *BACKGROUNDS]), scenes(options.scenes))
    ]
    if (options.root / "feedseg.json").is_file():
        for host in ("proxyclip", "naclip"):
            examples = photographs(options.root, "val", options.photographs)
            settings = HOSTS.load(host).settings
            jobs.append(("photographs", host, str(options.root), settings, Vocabulary(VOC), examples))
    else:
        print(f"{options.root} is not there: its photographs are left out")
    table = Table("images", "host", "protocol", "fast", "difference, 95 % interval", "CPU s", "fast", "times faster")
    for name, host, model, settings, words, examples in jobs:
        proxy = "self" if host == "proxyclip" else None
        segmenter = Segmenter.load(model, host=host, proxy=proxy, feedback="paper", settings=settings, device="cpu")
        one = measure(segmenter, words, examples)
        table.add_row(
            f"{one['images']} {name}",
            host,
            f"{one['protocol_miou']:.1f}",
            f"{one['fast_miou']:.1f}",
            f"{one['difference']:+.1f} ({one['difference_low']:+.1f} to {one['difference_high']:+.1f})",
            f"{one['protocol_cpu_seconds']:.2f}",
            f"{one['fast_cpu_seconds']:.2f}",
            f"{one['cpu_ratio']:.1f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
