"""Metrics against formulas that others publish, written plainly, on random and on adversarial matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedseg.evaluation.metrics.boundaries import TOLERANCE, boundary_counts, boundary_scores, mean_boundary_score
from feedseg.evaluation.metrics.confusion import (
    class_accuracy,
    confusion_matrix,
    intersection_over_union,
    mean_class_accuracy,
    mean_iou,
    pixel_accuracy,
)

IGNORED = 255
NONE: Any = None  # scikit-learn's own annotations say that these two are texts
ZERO: Any = 0.0
Maps = tuple[int, list[tuple[np.ndarray, np.ndarray]]]  # the number of classes, and pictures: truth and labels


@st.composite
def maps(draw: Callable) -> Maps:
    """Pictures of one data set: classes may be absent from either side, a truth may be empty, all may be ignored."""
    classes = draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pictures = []
    for _ in range(draw(st.integers(1, 3))):
        true = draw(st.sets(st.sampled_from([*range(classes), IGNORED]), min_size=1))
        named = draw(st.sets(st.integers(0, classes - 1), min_size=1))
        size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
        pictures.append((rng.choice(sorted(true), size), rng.choice(sorted(named), size)))
    return classes, pictures


ADVERSARIAL: dict[str, Maps] = {
    "everything ignored": (3, [(np.full((4, 5), IGNORED), np.zeros((4, 5), int))]),
    "one class, all right": (1, [(np.zeros((4, 5), int), np.zeros((4, 5), int))]),
    "all wrong": (3, [(np.zeros((4, 5), int), np.full((4, 5), 2))]),
    "named where ignored only": (3, [(np.array([[0, 0, IGNORED]]), np.array([[0, 1, 2]]))]),
    "empty beside full": (
        2,
        [(np.full((2, 2), IGNORED), np.ones((2, 2), int)), (np.eye(3, dtype=int), np.eye(3, dtype=int))],
    ),
    "one pixel": (5, [(np.array([[4]]), np.array([[4]]))]),
}


def mmsegmentations(data: Maps) -> tuple[list[float], list[float], float, float, float]:
    """IoU and accuracy of every class, mIoU, mAcc and aAcc after mmsegmentation's IoUMetric, written plainly.

    `intersect_and_union` takes histograms of prediction, truth and of where the two are equal, without ignored pixels;
    the areas are summed over all pictures, and nanmean leaves classes out whose ratio is 0 / 0.
    """
    classes, pictures = data
    intersect, predicted, true = ([0] * classes for _ in range(3))
    for truth, labels in pictures:
        for value, label in zip(truth.ravel().tolist(), labels.ravel().tolist(), strict=True):
            if value == IGNORED:
                continue
            predicted[label] += 1
            true[value] += 1
            intersect[value] += value == label

    def divided(part: float, whole: float) -> float:
        return part / whole if whole else float("nan")

    def nanmean(values: list[float]) -> float:
        known = [value for value in values if value == value]  # noqa: PLR0124 -- what is no number differs from itself
        return divided(sum(known), len(known))

    iou = [divided(i, p + t - i) for i, p, t in zip(intersect, predicted, true, strict=True)]
    accuracy = [divided(i, t) for i, t in zip(intersect, true, strict=True)]
    return iou, accuracy, nanmean(iou), nanmean(accuracy), divided(sum(intersect), sum(true))


def pooled(data: Maps) -> np.ndarray:
    classes, pictures = data
    return sum(
        (confusion_matrix(truth, labels, classes, IGNORED) for truth, labels in pictures),
        start=np.zeros((classes, classes), np.int64),
    )


def agree(data: Maps) -> None:
    iou, accuracy, miou, macc, aacc = mmsegmentations(data)
    confusion = pooled(data)
    np.testing.assert_allclose(intersection_over_union(confusion), iou)
    np.testing.assert_allclose(class_accuracy(confusion), accuracy)
    np.testing.assert_allclose(mean_iou(confusion), miou)
    np.testing.assert_allclose(mean_class_accuracy(confusion), macc)
    np.testing.assert_allclose(pixel_accuracy(confusion), aacc)


@given(maps())
def test_random_maps_agree_with_mmsegmentations_formulas(data: Maps) -> None:
    agree(data)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_adversarial_maps_agree_with_mmsegmentations_formulas(name: str) -> None:
    agree(ADVERSARIAL[name])


@pytest.mark.filterwarnings("ignore:A single label:UserWarning:sklearn")
@given(maps())
@example(ADVERSARIAL["all wrong"])
@example(ADVERSARIAL["named where ignored only"])
@example(ADVERSARIAL["empty beside full"])
def test_pooled_maps_agree_with_scikit_learn(data: Maps) -> None:
    classes, pictures = data
    true, named = (np.concatenate([one[side].ravel() for one in pictures]) for side in (0, 1))
    true, named = true[true != IGNORED], named[true != IGNORED]
    confusion = pooled(data)
    if not true.size:
        assert confusion.sum() == 0
        return
    np.testing.assert_array_equal(confusion, sklearn.metrics.confusion_matrix(true, named, labels=range(classes)))
    present, both = sorted({*true.tolist()}), sorted({*true.tolist(), *named.tolist()})
    jaccard = sklearn.metrics.jaccard_score(true, named, labels=both, average=NONE, zero_division=ZERO)
    np.testing.assert_allclose(intersection_over_union(confusion)[both], jaccard)
    np.testing.assert_allclose(mean_iou(confusion), np.mean(jaccard))
    recall = sklearn.metrics.recall_score(true, named, labels=present, average=NONE, zero_division=ZERO)
    np.testing.assert_allclose(class_accuracy(confusion)[present], recall)
    assert pixel_accuracy(confusion) == pytest.approx(sklearn.metrics.accuracy_score(true, named))


def slow_scores(truth: np.ndarray, labels: np.ndarray, classes: int) -> list[float]:
    """The boundary F of every class pixel by pixel, after Csurka et al., where what is ignored lies far and wide.

    A boundary pixel has one of its four neighbours in another class; where either of two is ignored there is none.
    """
    height, width = truth.shape
    radius = TOLERANCE * (height**2 + width**2) ** 0.5
    pixels = [(y, x) for y in range(height) for x in range(width) if truth[y, x] != IGNORED]
    counted = set(pixels)

    def edges(values: np.ndarray, label: int) -> list[tuple[int, int]]:
        return [
            (y, x)
            for y, x in pixels
            if values[y, x] == label
            and any(
                (y + down, x + right) in counted and values[y + down, x + right] != label
                for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0))
            )
        ]

    scores = []
    for label in range(classes):
        true, named = edges(truth, label), edges(labels, label)
        if not true and not named:
            scores.append(float("nan"))
            continue
        near = [
            sum(any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in there) for y, x in here)
            for here, there in ((true, named), (named, true))
        ]
        # Of matched target pixels over all of them (recall), and of matched ones of the prediction (precision).
        recall = near[0] / len(true) if true else 0.0
        precision = near[1] / len(named) if named else 0.0
        scores.append(2 * recall * precision / (recall + precision) if recall + precision else 0.0)
    return scores


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([(8, 140), (140, 8), (5, 20)]))
def test_boundary_scores_agree_with_brute_force(seed: int, classes: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    blocks = np.ones((4, 5), np.int64)  # so that there are insides, too; 140 pixels make a tolerance of one
    rows, columns = -(-size[0] // 4), -(-size[1] // 5)
    truth, labels = (np.kron(rng.integers(0, classes, (rows, columns)), blocks)[: size[0], : size[1]] for _ in range(2))
    counts = boundary_counts(truth, labels, classes, IGNORED)
    np.testing.assert_allclose(boundary_scores(counts), slow_scores(truth, labels, classes))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_boundary_scores_agree_with_brute_force_where_pixels_do_not_count(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice([*range(classes), IGNORED], (9, 12))  # so small that the tolerance is below one pixel
    labels = rng.integers(0, classes, (9, 12))
    counts = boundary_counts(truth, labels, classes, IGNORED)
    np.testing.assert_allclose(boundary_scores(counts), slow_scores(truth, labels, classes))


def test_without_anything_that_counts_there_is_no_boundary_score() -> None:
    for truth in (np.full((9, 12), IGNORED), np.zeros((9, 12), int)):
        counts = boundary_counts(truth, np.zeros((9, 12), int), 3, IGNORED)
        assert counts.sum() == 0
        assert np.isnan(mean_boundary_score(counts))
