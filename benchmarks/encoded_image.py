"""Part of `bench.py`: what `segmenter.encode` saves, other words for an encoded image against the whole way again.

CLIP ViT-B/16 with a DINO ViT-B/8 proxy, random weights, one image of 336 × 448 in two windows, words whose embeddings
are ready.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedseg import Settings
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Setup, seconds_text
from random_models import WORDS, random_segmenter, vocabulary
from timing import in_turn

SIDES = (336, 448)
FEEDBACKS = {"without": "none", "with": "paper"}


def measure_encoded(setup: Setup) -> Figures:
    height, width = setup.size(SIDES, (32, 48))
    settings = setup.size(Settings(), Settings(short_side=32, window=32, stride=16))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    one, other = vocabulary(WORDS[:10]), vocabulary(WORDS[10:])
    segmenter = random_segmenter(settings=settings, device=setup.device, tiny=setup.quick)
    encoded = segmenter.encode(image)
    found = {}
    for name, feedback in FEEDBACKS.items():
        works = {
            "image": lambda feedback=feedback: segmenter(image, one, feedback=feedback),
            "other words": lambda feedback=feedback: encoded.segment(other, feedback=feedback),
        }
        found[name] = in_turn(works, setup.repeats, setup.device)
    return found


def encoded_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (
            name,
            seconds_text(of["image"]),
            seconds_text(of["other words"]),
            f"{of['image']['median'] / of['other words']['median']:.1f}",
        )
        for name, of in found.items()
    ]
    return [Table("What encoding once saves", ("feedback", "image, s", "other words, s", "times faster"), rows)]


ENCODED = Part("encoded", measure_encoded, encoded_tables)
