"""From an image's logits to its segmentation: scores, refiners, labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from feedseg.arguments import Plan, Request
from feedseg.decode.labels import label_image
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.scores import ClassScores, Scores
from feedseg.errors import FeedsegError
from feedseg.segmentation import Segmentation

if TYPE_CHECKING:
    from feedseg.decode.refiners.base import Refiner
    from feedseg.io.images import RgbImage


@torch.inference_mode()
def decoded(
    logits: StitchedLogits,
    request: Request,
    plan: Plan,
    models: Mapping[str, Mapping[str, str]],
    settings: Mapping[str, Any],
) -> Segmentation:
    """What an image's logits (queries, height, width) say.

    Args:
        logits: cosines.
        request: the image, and the words that the queries are.
        plan: scale, softmax and refiners; whether the scores of the patches are wanted too.
        models: what made the logits, for the record.
        settings: how they were made.

    Raises:
        FeedsegError: a logit is no number, or a refiner returns something else than scores.
    """
    image, vocabulary = request
    scores = class_scores(logits, request, plan)
    for refiner in plan.refiners:
        scores = refined(scores, refiner, image)
    labels, confidence = label_image(scores, vocabulary.threshold)
    return Segmentation(
        labels=labels,
        confidence=confidence,
        scores=patch_scores(logits, request, plan) if plan.scores else None,
        names=vocabulary.names,
        image=image.pixels,
        source=image.source,
        notes=image.notes,
        background=vocabulary.has_background,
        threshold=vocabulary.threshold,
        synonyms=vocabulary.words,
        models=models,
        settings=settings,
    )


def class_scores(logits: StitchedLogits, request: Request, plan: Plan) -> Scores:
    """The probabilities of the classes at the size of the logits."""
    words, settings = request.vocabulary, plan.settings
    return ClassScores(logits, words.query_to_class, len(words.names), settings.logit_scale, settings.softmax)


def patch_scores(logits: StitchedLogits, request: Request, plan: Plan) -> np.ndarray:
    """The probabilities of the classes at the resolution of the patches, (classes, h, w), float32.

    No refiner of scores and no threshold is applied.
    """
    patches = logits.at_patches()
    on_grid = StitchedLogits.of_grid(patches, (patches.shape[1], patches.shape[2]))
    return class_scores(on_grid, request, plan).rows(slice(None)).cpu().numpy()


def refined(scores: Scores, refiner: Refiner, image: RgbImage) -> Scores:
    """What a refiner makes of scores.

    Raises:
        FeedsegError: that is something else than scores of the same shape.
    """
    found = refiner(scores, image)
    if not isinstance(found, Scores) or tuple(found.shape) != tuple(scores.shape):
        what = tuple(found.shape) if isinstance(found, Scores) else type(found).__name__
        raise FeedsegError(
            f"the refiner {type(refiner).__name__} returns {what}: expected were Scores "
            f"{tuple(scores.shape)}, (classes, height, width)"
        )
    return found
