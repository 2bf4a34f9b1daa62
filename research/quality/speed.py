"""What `--speed fastest` costs and saves: mIoU and CPU time of several ways, on the same images, against the first.

    python -m research.quality.speed photographs [--split val] [--limit 100] [--ways …] [--root ../shared/realbench]
    python -m research.quality.speed scenes [--limit 200] [--ways …]

Photographs: the bundled `photo`, asked for VOC's 20 names (voc20: background and void ignored); `val` is the
development split, `train` the one that is reported. Scenes: drawn 3 : 2 for the bundled `mini`, of a split that nothing
else is reported on. Host proxyclip, calibrated feedback, one thread, each image by all ways in turn; words are embedded
before. Prints mIoU, the difference to the first way with its paired 95 % bootstrap interval, and how many times less
CPU time a way takes.

Neither DINO nor CLIP can be had here. What a second encoder of a finer grid is to CLIP, the tower itself is here, which
looks at the image enlarged: `fine` has two features along the side of a patch, as DINO ViT-B/8 beside a patch of 16
pixels, `self` one, and a number is how many. `windows` overlap as a protocol has them; `one` is `--speed fast`'s; with
`parts` the tower sees that one in overlapping parts, so that `parts-1.625` is `fastest`; `224` is a short side.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from research.quality.fast import SCENES, photographs, scenes
from research.quality.photographs import VOC, VOID, need
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import interpolate

from feedseg import Segmenter, Settings, Vocabulary
from feedseg.evaluation.metrics.bootstrap import ImageAreas, gain_interval
from feedseg.evaluation.metrics.confusion import confusion_matrix
from feedseg.evaluation.scenes import BACKGROUNDS, PATTERNS
from feedseg.io.images import RgbImage
from feedseg.settings import Sides
from feedseg.vision.ops import normalised
from feedseg.vision.proxies.base import Proxy
from feedseg.vision.towers.base import TowerOutput

DENSITIES = (1.5, 1.625, 1.75)  # features along the side of a patch, between one and two
LAYERS = (-1, -2, -3, -4)  # blocks whose tokens may stand for a proxy's features
Examples = Iterable[tuple[RgbImage, np.ndarray]]


@dataclass(frozen=True)
class FineProxy(Proxy):
    """The tower's final tokens of the window enlarged: `density` features along the side of a patch."""

    density: float = 2.0
    name = "self, finer"

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        tower = output.tower
        size = [round(self.density * side) * tower.patch_size for side in output.grid]
        larger = interpolate(pixels, size=size, mode="bicubic", align_corners=False).clamp(0, 1)
        return tower.encode(normalised(larger, tower.mean, tower.std)).final_tokens()


@dataclass(frozen=True)
class LayerProxy(Proxy):
    """What goes into one of the tower's last blocks, -1 for the last: nothing runs that the tower does not run anyway.

    Here the tower runs once more for it, so that its time says nothing.
    """

    block: int
    name = "a layer of the tower"

    def __call__(self, pixels: Tensor, output: TowerOutput) -> Tensor:
        tower = output.tower
        found = tower.encode(normalised(pixels, tower.mean, tower.std), (self.block,))
        tokens = found.tokens[tower.block_index(self.block)]
        return tokens[:, tower.prefix :].transpose(1, 2).unflatten(-1, found.grid)


def ways(segmenter: Segmenter, windows: Settings) -> dict[str, Segmenter]:
    """Segmenters that share their weights, by name; `windows` are those of a protocol."""

    def of(settings: Settings, proxy: Proxy | None = None, part: Sides | None = None) -> Segmenter:
        encoder = replace(segmenter.encoder, proxy=proxy or segmenter.encoder.proxy, tower_part=part)
        return replace(segmenter, settings=settings, encoder=encoder)

    own = segmenter.settings
    small = replace(own, short_side=224)
    small_windows = replace(small, window=224, stride=224 // 3)
    found = {
        "self": of(own),
        "fine": of(own, FineProxy()),
        "windows-fine": of(windows, FineProxy()),
        "windows-self": of(windows),
        "one-fine": of(windows.fast(), FineProxy()),
        "one-self": of(windows.fast()),
        "parts-fine": of(windows.fast(), FineProxy(), windows.window_sides),
        "224-fine": of(small, FineProxy()),
        "224-windows-fine": of(small_windows, FineProxy()),
    }
    for density in DENSITIES:
        coarser = FineProxy(density)
        found[f"one-{density}"] = of(windows.fast(), coarser)
        found[f"parts-{density}"] = of(windows.fast(), coarser, windows.window_sides)
        found[f"224-{density}"] = of(small, coarser)
        found[f"224-parts-{density}"] = of(small_windows.fast(), coarser, small_windows.window_sides)
    for block in LAYERS:
        found[f"one-layer{block}"] = of(windows.fast(), LayerProxy(block))
        found[f"224-layer{block}"] = of(small, LayerProxy(block))
    sizes = {f"self-{side}": of(replace(own, short_side=side)) for side in (280, 252, 224)}
    return found | sizes


@dataclass(frozen=True, eq=False)
class Measured:
    """Areas of the classes by image, and CPU seconds of all images."""

    areas: ImageAreas
    seconds: float


def measure(segmenters: Mapping[str, Segmenter], words: Vocabulary, examples: Examples) -> dict[str, Measured]:
    """Every way on every image."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in segmenters}
    seconds = dict.fromkeys(segmenters, 0.0)
    for segmenter in segmenters.values():  # what only the first image costs does not count
        segmenter(np.zeros((64, 64, 3), np.uint8), words)
    for image, target in examples:
        for name, segmenter in segmenters.items():
            start = time.process_time()
            result = segmenter(image, words)
            seconds[name] += time.process_time() - start
            found[name].append(confusion_matrix(target, result.labels, len(words.names), VOID))
    return {name: Measured(ImageAreas.of(np.stack(found[name])), seconds[name]) for name in segmenters}


def table(found: Mapping[str, Measured]) -> Table:
    """One row a way."""
    made = Table("way", "mIoU", "difference, 95 % interval", "CPU s an image", "times faster")
    first = next(iter(found.values()))
    for name, one in found.items():
        gain = gain_interval(one.areas, first.areas)
        miou = 100 * gain_interval(one.areas, None).value
        interval = f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
        count = len(one.areas.intersection)
        made.add_row(
            name,
            f"{miou:.1f}",
            "" if one is first else interval,
            f"{one.seconds / count:.2f}",
            f"{first.seconds / one.seconds:.1f}",
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=("photographs", "scenes"))
    parser.add_argument("--split", default="val", help="val or train")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--skip", type=int, default=0, help="the first images: of scenes a setting is chosen on 100")
    parser.add_argument("--ways", nargs="+", default=["self", "fine"], help="others are compared with the first")
    parser.add_argument("--root", type=Path, default=Path("../shared/realbench"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    wanted = options.skip + options.limit
    if options.bench == "scenes":
        model, words = "mini", Vocabulary([*PATTERNS, *BACKGROUNDS])
        settings, windows, examples = SCENES.fast(), SCENES, scenes(wanted)
    else:
        need(options.root)
        model, words = "photo", Vocabulary(VOC)
        settings, windows, examples = None, Settings(), photographs(options.root, options.split, wanted)
    segmenter = Segmenter.load(model, proxy="self", feedback="calibrated", settings=settings, device="cpu")
    known = ways(segmenter, windows)
    if absent := set(options.ways) - set(known):
        raise SystemExit(f"no way {', '.join(sorted(absent))}; there are {', '.join(known)}")
    found = measure({name: known[name] for name in options.ways}, words, islice(examples, options.skip, None))
    Console(width=100).print(table(found))


if __name__ == "__main__":
    main()
