"""Intervals against a plain bootstrap of whole confusion matrices, and against what is known of the mean."""

from __future__ import annotations

import time

import numpy as np
import pytest

from feedseg.evaluation.metrics.bootstrap import PictureAreas, few_note, gain_interval, iou_interval
from feedseg.evaluation.metrics.confusion import intersection_and_union, mean_iou
from feedseg.evaluation.report.tables import points, signed, with_interval


def confusions(seed: int, images: int, classes: int) -> np.ndarray:
    """Random confusion matrices, every image with some of the classes only."""
    rng = np.random.default_rng(seed)
    matrices = rng.integers(0, 50, (images, classes, classes)) + 80 * np.eye(classes, dtype=np.int64)
    present = rng.random((images, classes)) < 0.4
    return matrices * present[:, :, None] * present[:, None, :]


def areas(matrices: np.ndarray) -> PictureAreas:
    parts = [intersection_and_union(matrix) for matrix in matrices]
    return PictureAreas(np.stack([hits for hits, _ in parts]), np.stack([union for _, union in parts]))


def test_the_value_is_that_of_the_summed_matrices() -> None:
    one, other = confusions(0, 30, 6), confusions(1, 30, 6)
    assert iou_interval(areas(one)).value == pytest.approx(mean_iou(one.sum(axis=0)), rel=1e-12)
    gain = gain_interval(areas(one), areas(other))
    assert gain.value == pytest.approx(mean_iou(one.sum(axis=0)) - mean_iou(other.sum(axis=0)), rel=1e-12)
    assert gain.low <= gain.value <= gain.high


def test_weighted_draws_are_whole_matrices_summed_as_often() -> None:
    matrices = confusions(2, 12, 5)
    weights = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=40)
    expected = [mean_iou(np.einsum("n,nij->ij", row, matrices)) for row in weights]
    np.testing.assert_allclose(areas(matrices).mean_iou(weights), expected, rtol=1e-12)


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    one, other = confusions(4, 40, 4), confusions(5, 40, 4)
    rng = np.random.default_rng(99)
    plain = []
    for _ in range(2000):
        drawn = rng.integers(40, size=40)
        plain.append(mean_iou(one[drawn].sum(axis=0)) - mean_iou(other[drawn].sum(axis=0)))
    found = gain_interval(areas(one), areas(other))
    low, high = np.quantile(plain, (0.025, 0.975))
    width = high - low
    assert found.low == pytest.approx(low, abs=0.1 * width)
    assert found.high == pytest.approx(high, abs=0.1 * width)


def test_pairing_makes_the_interval_of_an_even_gain_narrow() -> None:
    one = confusions(6, 60, 4)
    better = one + 5 * np.eye(4, dtype=np.int64) * (one > 0)
    gain, alone = gain_interval(areas(better), areas(one)), iou_interval(areas(one))
    assert gain.low > 0
    assert gain.high - gain.low < (alone.high - alone.low) / 3


def test_the_same_draws_every_time_and_no_gain_over_oneself() -> None:
    one = areas(confusions(7, 20, 4))
    assert iou_interval(one) == iou_interval(one)
    gain = gain_interval(one, one)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def test_one_image_has_a_value_and_no_interval() -> None:
    one, other = confusions(1, 1, 4) + 1, confusions(2, 1, 4) + 1
    gain = gain_interval(areas(one), areas(other))
    assert gain.value == pytest.approx(mean_iou(one[0]) - mean_iou(other[0]))
    assert np.isnan([gain.low, gain.high]).all()
    assert points(gain) == f"{signed(gain.value)} [–]"
    assert with_interval(iou_interval(areas(one))) == f"{100 * mean_iou(one[0]):.1f} [–]"


def test_few_images_are_said_to_be_few() -> None:
    assert few_note(20) is None
    assert "19 images are too few" in (few_note(19) or "")
    assert "no interval" in (few_note(1) or "")


def test_nothing_measured_gives_no_number() -> None:
    empty = areas(np.zeros((3, 4, 4), np.int64))
    assert np.isnan([*vars(iou_interval(empty)).values()]).all()
    nobody = PictureAreas(np.zeros((0, 4), np.int64), np.zeros((0, 4), np.int64))
    assert np.isnan([*vars(iou_interval(nobody)).values()]).all()


def test_it_is_fast_for_a_large_benchmark() -> None:
    rng = np.random.default_rng(8)
    union = rng.integers(0, 10_000, (5000, 171))
    one, other = (PictureAreas((union * rng.random(union.shape)).astype(np.int64), union) for _ in range(2))
    start = time.process_time()
    gain_interval(one, other)
    assert time.process_time() - start < 20  # of the processor; it takes about 2
