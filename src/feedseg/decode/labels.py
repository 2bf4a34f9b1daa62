"""From scores to labels, a strip of rows at a time."""

from __future__ import annotations

import numpy as np
import torch

from feedseg.decode.scores import Scores


@torch.inference_mode()
def label_image(scores: Scores, threshold: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of every pixel.

    Args:
        scores: of K classes.
        threshold: a pixel whose best class is less probable becomes class 0.

    Returns:
        labels (height, width), uint8 or, beyond 256 classes, uint16; the best class's probability (height, width),
        float32; both read-only.

    Raises:
        FeedsegError: a logit is no number.
    """
    labels = np.empty(scores.shape[1:], np.uint8 if scores.shape[0] <= 256 else np.uint16)
    confidence = np.empty(scores.shape[1:], np.float32)
    for strip, label, probability in scores.best_of_all():
        labels[strip] = label.cpu().numpy()
        confidence[strip] = probability.cpu().numpy()
    labels[confidence < np.float32(threshold)] = 0
    labels.flags.writeable = confidence.flags.writeable = False  # so that a result takes them without a copy
    return labels, confidence
