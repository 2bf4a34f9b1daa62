"""Metrics against scikit-learn, hand calculations and brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from feedseg.evaluation.metrics.boundaries import TOLERANCE, boundary_counts, boundary_scores, mean_boundary_score
from feedseg.evaluation.metrics.confusion import (
    Mistake,
    class_accuracy,
    confusion_matrix,
    intersection_over_union,
    largest_mistakes,
    mean_class_accuracy,
    mean_iou,
    mean_of_known,
    pixel_accuracy,
)

IGNORED = -1
ZERO: Any = 0.0  # scikit-learn's own annotation says that it is text


def labelled(seed: int, classes: int, size: tuple[int, int] = (13, 17)) -> tuple[np.ndarray, np.ndarray]:
    """Random truth, some of it ignored, and labels, which know some of the classes only."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(IGNORED, classes, size)
    return truth, rng.choice(rng.permutation(classes)[: max(1, classes - 2)], size)


@pytest.mark.filterwarnings("ignore:A single label:UserWarning:sklearn")
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_everything_agrees_with_scikit_learn(seed: int, classes: int) -> None:
    truth, labels = labelled(seed, classes)
    confusion = confusion_matrix(truth, labels, classes, ignore=IGNORED)
    known = truth != IGNORED
    true, named = truth[known], labels[known]
    np.testing.assert_array_equal(confusion, sklearn.metrics.confusion_matrix(true, named, labels=list(range(classes))))
    occurring = sorted({*true.tolist(), *named.tolist()})
    assert mean_iou(confusion) == pytest.approx(
        sklearn.metrics.jaccard_score(true, named, labels=occurring, average="macro", zero_division=ZERO)
    )
    assert pixel_accuracy(confusion) == pytest.approx(sklearn.metrics.accuracy_score(true, named))
    present = sorted(set(true.tolist()))
    assert mean_class_accuracy(confusion) == pytest.approx(
        sklearn.metrics.recall_score(true, named, labels=present, average="macro", zero_division=ZERO)
    )


def test_by_hand() -> None:
    truth = np.array([[0, 0, 0, 255], [1, 1, 255, 255]])
    labels = np.array([[0, 0, 1, 2], [1, 3, 0, 0]])  # 2 is true nowhere and named where it does not count
    confusion = confusion_matrix(truth, labels, 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(intersection_over_union(confusion), [2 / 3, 1 / 3, np.nan, 0])
    assert mean_iou(confusion) == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)
    assert pixel_accuracy(confusion) == 3 / 5
    np.testing.assert_array_equal(class_accuracy(confusion), [2 / 3, 1 / 2, np.nan, np.nan])
    assert mean_class_accuracy(confusion) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert largest_mistakes(confusion, 5) == [Mistake(0, 1, 1, 1 / 3), Mistake(1, 3, 1, 1 / 2)]
    assert largest_mistakes(confusion, 1) == [Mistake(0, 1, 1, 1 / 3)]


def test_nothing_counted_is_not_a_number_and_no_warning() -> None:
    nothing = confusion_matrix(np.full((2, 2), 255), np.zeros((2, 2), int), 3)
    assert nothing.sum() == 0
    for metric in (mean_iou, pixel_accuracy, mean_class_accuracy):
        assert np.isnan(metric(nothing))
    assert largest_mistakes(nothing, 3) == []
    assert np.isnan(mean_of_known([]))


@pytest.mark.parametrize(
    ("truth", "labels", "message"),
    [
        ([0, 7], [0, 0], "the target has a class outside 0 to 2: 7"),
        ([0, -2], [0, 0], "the target has a class outside 0 to 2: -2"),
        ([0, 1], [0, 3], "the prediction has a class outside 0 to 2: 3"),
        ([0, 1, 2], [0, 1], "shape"),
    ],
)
def test_what_does_not_fit_is_refused(truth: list[int], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(truth), np.array(labels), 3)


def slow_boundary_counts(truth: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The definition, pixel by pixel, for a truth without open pixels."""
    radius = TOLERANCE * np.hypot(*truth.shape)
    height, width = truth.shape

    def edges(values: np.ndarray, label: int) -> list[tuple[int, int]]:
        return [
            (y, x)
            for y in range(height)
            for x in range(width)
            if values[y, x] == label
            and any(
                0 <= y + dy < height and 0 <= x + dx < width and values[y + dy, x + dx] != label
                for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
            )
        ]

    counts = np.zeros((4, classes), np.int64)
    for label in range(classes):
        true, named = edges(truth, label), edges(labels, label)
        for row, (here, there) in enumerate(((true, named), (named, true))):
            counts[2 * row, label] = len(here)
            counts[2 * row + 1, label] = sum(any(np.hypot(y - v, x - u) <= radius for v, u in there) for y, x in here)
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_boundaries_agree_with_their_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # an image so long that the tolerance is 2.2 pixels, in blocks so that there are insides too
    truth, labels = (np.kron(rng.integers(0, 3, (2, 50)), np.ones((4, 6), np.int64)) for _ in range(2))
    counts = boundary_counts(truth, labels.astype(np.uint8), 4, IGNORED)
    np.testing.assert_array_equal(counts, slow_boundary_counts(truth, labels, 4))
    assert (counts[1] < counts[0]).any()
    assert (counts[1] > 0).any()


def test_boundary_scores_by_hand() -> None:
    counts = np.array([[10, 4, 0, 0, 0], [5, 0, 0, 0, 0], [20, 8, 3, 0, 0], [15, 0, 0, 0, 0]])
    expected = 2 * 0.75 * 0.5 / (0.75 + 0.5)
    np.testing.assert_allclose(boundary_scores(counts), [expected, 0, 0, np.nan, np.nan])
    assert mean_boundary_score(counts) == pytest.approx(expected / 3)


def test_perfect_labels_follow_every_outline_and_shifted_ones_do_within_the_tolerance() -> None:
    truth = np.zeros((300, 400), np.int64)  # a diagonal of 500: 3.75 pixels
    truth[100:200, 100:300] = 1
    scores = {
        shift: mean_boundary_score(boundary_counts(truth, np.roll(truth, shift, 1), 2, -1)) for shift in (0, 3, 9)
    }
    assert scores[0] == scores[3] == 1
    assert 0.5 < scores[9] < 0.8  # the long sides still lie on the truth's


def test_a_thin_open_line_is_an_outline_and_a_wide_one_is_none() -> None:
    truth = np.zeros((300, 400), np.int64)
    truth[:, 200:] = 1
    perfect = truth.copy()
    truth[:, 198:202] = IGNORED
    counts = boundary_counts(truth, perfect.astype(np.uint8), 2, IGNORED)
    assert counts[:, 0].tolist() == counts[:, 1].tolist() == [300, 300, 300, 300]
    truth[:, 180:220] = IGNORED
    assert boundary_counts(truth, perfect, 2, IGNORED).sum() == 0
