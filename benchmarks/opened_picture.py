"""What `segmenter.open` saves: other words for a picture that was opened, against segmenting it anew.

    python benchmarks/opened_picture.py [--repeats 5]

CLIP ViT-B/16 with a DINO ViT-B/8 proxy at their real sizes, with random weights (the time is the same), one picture of
336 × 448 in two windows, 20 words whose embeddings are ready. Prints medians over the repeats and their ratio.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, ViTConfig, ViTModel

from feedseg import Segmenter, Vocabulary
from feedseg.vision.models import CLIP_MEAN, CLIP_STD, Model
from feedseg.vision.proxy import IMAGENET_MEAN, IMAGENET_STD, FunctionProxy, dino_features
from feedseg.vision.text import TextBank
from feedseg.vision.tower import ClipTower, normalised

WORDS = [f"word {number}" for number in range(20)]


def random_segmenter(feedback: bool) -> Segmenter:
    """ViT-B/16 and DINO B/8 with random weights, and a bank of random words."""
    torch.manual_seed(0)
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(patch_size=16)).eval()
    dino = ViTModel(ViTConfig(patch_size=8), add_pooling_layer=False).eval()
    proxy = FunctionProxy(lambda windows: dino_features(dino, normalised(windows, IMAGENET_MEAN, IMAGENET_STD)), 8)
    tower = ClipTower(vision.vision_model, vision.visual_projection, CLIP_MEAN, CLIP_STD)
    bank = TextBank(dict(zip(WORDS, torch.randn(len(WORDS), 512), strict=True)), "random words", "")
    return Segmenter.load(Model(tower, bank, "random ViT-B/16", ""), proxy=proxy, feedback=feedback, device="cpu")


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median time of one call, after a first one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    picture = np.random.default_rng(0).integers(0, 256, (336, 448, 3), np.uint8)
    one, other = Vocabulary(WORDS[:10]), Vocabulary(WORDS[10:])
    table = Table("feedback", "anew, s", "other words, s", "times faster")
    for feedback in (False, True):
        segmenter = random_segmenter(feedback)
        opened = segmenter.open(picture)
        opened.segment(one)
        anew = seconds(lambda segmenter=segmenter: segmenter(picture, one), repeats)
        again = seconds(lambda opened=opened: opened.segment(other), repeats)
        table.add_row("yes" if feedback else "no", f"{anew:.2f}", f"{again:.2f}", f"{anew / again:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
