from collections.abc import Callable

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.segmentation import Segmentation

Scene = Callable[..., Segmentation]


def test_a_class_by_its_name(scene: Scene) -> None:
    result = scene()
    dog = result["dog"]
    assert (dog.name, dog.index, dog.pixels, dog.area_fraction) == ("dog", 1, 400, 1 / 3)
    assert dog.box == (10, 5, 30, 25)
    assert dog.confidence == pytest.approx(0.75)
    assert dog.colour == tuple(result.palette[1].tolist())
    np.testing.assert_array_equal(dog.mask, result.mask("dog"))
    np.testing.assert_array_equal(np.asarray(dog), result.mask("dog"))
    assert np.asarray(dog, np.uint8).sum() == np.sum(dog) == 400


def test_a_class_that_was_not_found_is_empty_and_one_that_nobody_asked_for_an_error(scene: Scene) -> None:
    bird = scene()["bird"]
    assert (bird.pixels, bird.box, bird.confidence) == (0, None, None)
    assert not bird.mask.any()
    with pytest.raises(FeedsegError, match=r"no class 'brid': did you mean bird\?"):
        scene()["brid"]


def test_what_was_found_is_listed_the_largest_first_without_the_background(scene: Scene) -> None:
    result = scene()
    assert [one.name for one in result] == ["dog", "cat"]
    assert len(result) == 2
    assert ("dog" in result, "bird" in result, "fish" in result, 3 in result) == (True, False, False, False)
    everything = scene(background=False)
    assert [one.name for one in everything] == ["background", "dog", "cat"]
    assert sum(one.area_fraction for one in everything) == pytest.approx(1)


def test_nothing_but_background_is_nothing_found(scene: Scene) -> None:
    result = scene(labels=np.zeros((30, 40), int))
    assert (len(result), list(result)) == (0, [])


@pytest.mark.parametrize(
    ("margin", "rows", "columns"),
    [(0, slice(5, 25), slice(10, 30)), (3, slice(2, 28), slice(7, 33)), (99, slice(30), slice(40))],
)
def test_a_crop_is_a_part_of_the_image(scene: Scene, margin: int, rows: slice, columns: slice) -> None:
    result = scene()
    crop = result.crop("dog", margin)
    assert crop.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(crop), result.image[rows, columns])
    cut = np.asarray(result.crop("dog", margin, transparent=True))
    np.testing.assert_array_equal(cut[..., :3], result.image[rows, columns])
    np.testing.assert_array_equal(cut[..., 3] == 255, result.mask("dog")[rows, columns])
    assert set(np.unique(cut[..., 3])) <= {0, 255}


def test_what_cannot_be_cropped(scene: Scene) -> None:
    with pytest.raises(FeedsegError, match="there is no bird in this image"):
        scene().crop("bird")
    with pytest.raises(FeedsegError, match="no class 'birds'"):
        scene().crop("birds")
    with pytest.raises(FeedsegError, match="a margin in pixels is a whole number from 0"):
        scene().crop("dog", margin=-1)
