"""Which words mean something similar, by the sentence encoder that comes with the package."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from feedseg.vision.text.base import TextAlignment
from feedseg.vision.text.sentence import TEXT_ENCODER
from feedseg.weights.catalog import CARDS
from feedseg.weights.checkpoint import find_checkpoint

LEAST_COSINE = 0.45  # below it words have nothing to do with each other
MOST_KNOWN = 2000  # more of them take longer than somebody waits for an advice
WIDTH = 384  # of the encoder's embeddings


def like_in_meaning(words: Sequence[str], known: Sequence[str], most: int = 3) -> list[tuple[str, ...]]:
    """For each word the known ones that are like it in meaning, the nearest first; none where too many are known."""
    if len(known) > MOST_KNOWN:
        return [() for _ in words]
    checkpoint = find_checkpoint(CARDS["photo"].folder / "text", tokenizer=True)
    encoder = TEXT_ENCODER.open(checkpoint, TextAlignment(torch.eye(WIDTH)), checkpoint.revision)
    cosines = encoder.encode(list(words)) @ encoder.encode(list(known)).T
    values, indices = cosines.topk(min(most, len(known)), dim=-1)
    alike = []
    for near, places in zip(values.tolist(), indices.tolist(), strict=True):
        alike.append(tuple(known[place] for cosine, place in zip(near, places, strict=True) if cosine >= LEAST_COSINE))
    return alike
