"""The refiner for small areas, in strips, against its definition on the whole image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from feedseg.decode import scores as scores_module
from feedseg.decode.labels import label_image
from feedseg.decode.logits import StitchedLogits
from feedseg.decode.refiners import REFINERS
from feedseg.decode.refiners.small_areas import SmallAreas
from feedseg.decode.scores import ClassScores, Scores
from feedseg.io.images import RgbImage

CLASS_OF = (0, 0, 1, 2, 2, 3, 4)


def labels_of(logits, size, class_of, classes, scale, threshold=0.0, smallest_area=None):
    scores: Scores = ClassScores(StitchedLogits.of_grid(logits, size), class_of, classes, scale, "words")
    if smallest_area is not None:
        scores = SmallAreas(smallest_area)(scores, RgbImage(np.zeros((*size, 3), np.uint8)))
    return label_image(scores, threshold)


def whole(logits: torch.Tensor, size: tuple[int, int], smallest: float, threshold: float) -> np.ndarray:
    """The definition, with every class at full size at once."""
    scores = interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0].mul(40).softmax(dim=0)
    class_of = torch.tensor(CLASS_OF)
    scores = torch.stack([scores[class_of == label].amax(dim=0) for label in range(5)])
    first = scores.argmax(dim=0)
    for label in range(1, 5):
        if not (first == label).sum() > smallest * (first != 0).sum():
            scores[label] *= 0
    best, labels = scores.max(dim=0)
    labels[best < threshold] = 0
    return labels.numpy()


@pytest.mark.parametrize("strip", [1, 300, 1 << 24])
@pytest.mark.parametrize("smallest", [0.0, 0.1, 0.2, 0.9])
@pytest.mark.parametrize("threshold", [0.0, 0.4])
def test_small_classes_vanish_before_the_threshold(
    strip: int, smallest: float, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores_module, "STRIP_ELEMENTS", strip)
    logits = torch.rand(7, 6, 5, generator=torch.Generator().manual_seed(3)) * 0.1
    labels, confidence = labels_of(logits, (31, 23), CLASS_OF, 5, 40.0, threshold, smallest)
    np.testing.assert_array_equal(labels, whole(logits, (31, 23), smallest, threshold))
    plain, before = labels_of(logits, (31, 23), CLASS_OF, 5, 40.0, threshold)
    if smallest == 0.9:
        assert not labels.any()  # class 0 has no smallest area
    if smallest == 0.0:  # a class that is the best nowhere has no pixels to lose
        np.testing.assert_array_equal(labels, plain)
    assert (confidence <= before).all()


def test_fractions_are_those_of_what_is_not_background_and_just_enough_is_too_little() -> None:
    logits = torch.full((3, 1, 8), -1.0)
    logits[0, 0, :4] = logits[1, 0, 4] = logits[2, 0, 5:] = 1  # of four pixels that are not background one is class 1
    for smallest, expected in ((0.24, [0, 0, 0, 0, 1, 2, 2, 2]), (0.25, [0, 0, 0, 0, 0, 2, 2, 2])):
        labels, _ = labels_of(logits, (1, 8), (0, 1, 2), 3, 40.0, smallest_area=smallest)
        assert labels[0].tolist() == expected


def test_where_every_class_is_too_small_and_class_0_has_no_words_pixels_are_class_0() -> None:
    logits = torch.rand(4, 5, 5, generator=torch.Generator().manual_seed(5))
    labels, confidence = labels_of(logits, (9, 9), (1, 2, 3, 4), 5, 10.0, smallest_area=0.9)
    assert not labels.any()
    assert not confidence.any()


@torch.inference_mode()
def test_the_rows_of_what_is_left_hold_nothing_of_what_vanished() -> None:
    logits = torch.rand(7, 6, 5, generator=torch.Generator().manual_seed(3)) * 0.1
    scores = ClassScores(StitchedLogits.of_grid(logits, (31, 23)), CLASS_OF, 5, 40.0, "words")
    left = SmallAreas(0.2)(scores, RgbImage(np.zeros((31, 23, 3), np.uint8)))
    labels, _ = label_image(left)
    rows = left.rows(slice(0, 31))
    gone = [label for label in range(1, 5) if not (labels == label).any()]
    assert gone
    assert rows[gone].abs().max() == 0
    np.testing.assert_array_equal(rows.argmax(dim=0).numpy(), labels)


def test_a_fraction_that_is_none_is_refused_and_the_refiner_is_registered() -> None:
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        SmallAreas(1.5)
    assert REFINERS.load("small-areas") == SmallAreas()
