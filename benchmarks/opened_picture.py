"""Part of `bench.py`: what `segmenter.open` saves. Other words for a picture that was opened, against anew.

CLIP ViT-B/16 with a DINO ViT-B/8 proxy, random weights, one picture of 336 × 448 in two windows, 20 words whose
embeddings are ready.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedseg import Settings, Vocabulary
from feedseg.evaluation.report.tables import Table
from parts import Figures, Part, Setup, seconds_text
from random_models import WORDS, random_segmenter
from timing import in_turn

SIDES = (336, 448)


def measure_opened(setup: Setup) -> Figures:
    height, width = setup.size(SIDES, (32, 48))
    settings = setup.size(Settings(), Settings(short_side=32, window=32, stride=16))
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    one, other = Vocabulary(WORDS[:10]), Vocabulary(WORDS[10:])
    found = {}
    for kind, feedback in (("without", False), ("with", True)):
        segmenter = random_segmenter(feedback, settings=settings, device=setup.device, tiny=setup.quick)
        opened = segmenter.open(picture)
        works = {
            "anew": lambda segmenter=segmenter: segmenter(picture, one),
            "other words": lambda opened=opened: opened.segment(other),
        }
        found[kind] = in_turn(works, setup.repeats, setup.device)
    return found


def opened_tables(found: Figures) -> Sequence[Table]:
    rows = [
        (
            kind,
            seconds_text(of["anew"]),
            seconds_text(of["other words"]),
            f"{of['anew']['median'] / of['other words']['median']:.1f}",
        )
        for kind, of in found.items()
    ]
    return [Table("What opening a picture saves", ("feedback", "anew, s", "other words, s", "times faster"), rows)]


OPENED = Part("opened", measure_opened, opened_tables)
