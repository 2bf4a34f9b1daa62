"""What the page draws: the map of classes that the pointer asks, and the maps of attention."""

from __future__ import annotations

import numpy as np

from feedseg import Segmentation
from feedseg.apps.page.heat import heat
from feedseg.apps.page.view import codes


def test_the_pointers_map_holds_classes_and_confidences() -> None:
    labels = np.array([[0, 1], [299, 2]])
    names = tuple(f"class {n}" for n in range(300))
    image = np.zeros((2, 2, 3), np.uint8)
    after = Segmentation(labels=labels, names=names, confidence=np.array([[0.2, 1.0], [0.0, 0.5]]), image=image)
    before = Segmentation(labels=labels[::-1], names=names, confidence=np.ones((2, 2)), image=image)
    found = codes(after, before).astype(int)
    np.testing.assert_array_equal(found[..., 0] + 256 * found[..., 1], np.hstack([labels, labels[::-1]]))
    np.testing.assert_array_equal(found[:, :2, 2], [[51, 255], [0, 128]])


def test_a_large_pointers_map_is_reduced_to_the_classes_in_the_middles() -> None:
    labels = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 700, 0), 1024, 1)
    whole = Segmentation(
        labels=labels,
        names=tuple("abcd"),
        confidence=np.ones(labels.shape),
        image=np.zeros((*labels.shape, 3), np.uint8),
    )
    found = codes(whole, whole)
    assert found.shape == (350, 1024, 3)
    np.testing.assert_array_equal(found[[0, 0, -1, -1], [0, 511, 0, 511], 0], [0, 1, 2, 3])


def test_a_map_is_dark_where_the_patch_attends_and_frames_it() -> None:
    values = np.full((4, 4), 0.0)
    values[1, 3] = 1.0
    white = np.full((400, 400, 3), 255, np.uint8)
    drawn = np.asarray(heat(white, values, (0.0, 0.0, 400.0, 400.0), (2, 1)))
    side = len(drawn) // 4
    brightness = drawn.mean(axis=-1).reshape(4, side, 4, side)[:, 20:-20, :, 20:-20].mean(axis=(1, 3))
    assert np.unravel_index(brightness.argmin(), brightness.shape) == (1, 3)
    pink = (drawn == [255, 45, 149]).all(axis=-1)
    rows, columns = np.nonzero(pink)
    assert abs(rows.mean() - 2.5 * side) < 2
    assert abs(columns.mean() - 1.5 * side) < 2


def test_a_map_of_a_window_covers_its_part_alone() -> None:
    grey = np.full((100, 200, 3), 100, np.uint8)
    drawn = np.asarray(heat(grey, np.ones((2, 2)), (100.0, -20.0, 220.0, 100.0), (0, 0)))
    left = drawn[:, : drawn.shape[1] // 2 - 8]
    assert len(np.unique(left)) == 1
    assert drawn[:, -20:].mean() < left.mean()
