"""Against CVAT's own SDK: its driver takes the function as the command line loads it; only the server is a double."""

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image, ImageDraw

from feedseg import FeedsegError
from feedseg.integrations.cvat import CvatFunction, create, polygons, simplified
from feedseg.integrations.objects import FoundObject
from feedseg.vocabulary import Vocabulary

ndimage: Any = scipy.ndimage
cvataa = pytest.importorskip("cvat_sdk.auto_annotation")

WORDS = "striped, dotted, plain, checked"


@pytest.fixture
def annotate(desk, monkeypatch: pytest.MonkeyPatch):
    """`annotate(function, labels, **options)`: the shapes that the SDK's driver would send to the server."""
    from cvat_sdk.auto_annotation import driver

    def run(function: Any, labels: str = WORDS, kind: str = "any", **options: Any) -> list[Any]:
        known = [
            SimpleNamespace(name=name, id=100 + number, type=kind, attributes=[], sublabels=[])
            for number, name in enumerate(labels.split(", "))
        ]
        media = SimpleNamespace(load_image=lambda: desk.image)
        sample = SimpleNamespace(frame_name="a.png", frame_index=7, media=media)
        dataset = SimpleNamespace(labels=known, samples=[sample])
        monkeypatch.setattr(driver, "TaskDataset", lambda *_, **__: dataset)
        sent: list[Any] = []
        api = SimpleNamespace(
            partial_update_annotations=lambda *_, **request: sent.append(request["patched_labeled_data_request"])
        )
        client: Any = SimpleNamespace(logger=logging.getLogger("cvat"), tasks=SimpleNamespace(api=api))
        cvataa.annotate_task(client, 1, function, **options)
        return list(sent[0].shapes)

    return run


@pytest.fixture
def function(desk) -> CvatFunction:
    """With classes as objects and nothing left out, so that masks are the result's."""
    return CvatFunction(desk.segmenter, Vocabulary.parse_line(WORDS, "grass, sky"), connected=False, min_pixels=1)


def test_masks_are_the_results(desk, function, annotate) -> None:
    from cvat_sdk.masks import decode_mask

    shapes = annotate(function)
    width, height = desk.result.size
    found = {}
    for shape in shapes:
        assert (shape.type.value, shape.frame, shape.source) == ("mask", 7, "auto")
        found[WORDS.split(", ")[shape.label_id - 100]] = decode_mask(
            shape.points, image_width=width, image_height=height
        )
    assert found.keys() == {one.name for one in desk.result}
    for name, mask in found.items():
        np.testing.assert_array_equal(mask, desk.result.mask(name))


def test_every_connected_region_that_is_large_enough_is_a_shape(desk, annotate) -> None:
    words = Vocabulary.parse_line(WORDS, "grass, sky")
    shapes = annotate(CvatFunction(desk.segmenter, words, connected=True, min_pixels=300))
    parts = [ndimage.label(desk.result.labels == label)[0] for label in range(1, 5)]
    sizes = np.concatenate([np.bincount(part.ravel())[1:] for part in parts])
    assert len(shapes) == (sizes >= 300).sum() < len(sizes)


def test_polygons_where_cvat_asks_for_them(desk, function, annotate) -> None:
    width, height = desk.result.size
    drawn = {name: Image.new("1", (width, height)) for name in WORDS.split(", ")}
    for shape in annotate(function, kind="polygon", conv_mask_to_poly=True):
        assert shape.type.value == "polygon"
        assert len(shape.points) >= 6
        name = WORDS.split(", ")[shape.label_id - 100]
        ImageDraw.Draw(drawn[name]).polygon([*shape.points], fill=1)
    for one in desk.result:
        polygon, filled = np.asarray(drawn[one.name]), ndimage.binary_fill_holes(one.mask)
        assert (polygon & filled).sum() / (polygon | filled).sum() > 0.8, one.name


def test_what_is_not_sure_enough_is_left_out(desk, function, annotate) -> None:
    sure = max(one.confidence for one in desk.result)
    shapes = annotate(function, conf_threshold=sure - 1e-6)
    assert len(shapes) == 1 < len(desk.result)


def test_labels_that_the_task_does_not_have(function, annotate) -> None:
    with pytest.raises(cvataa.BadFunctionError, match="is not in dataset"):
        annotate(function, "striped, dotted")
    known = annotate(function, "striped, dotted", allow_unmatched_labels=True)
    assert {shape.label_id for shape in known} <= {100, 101}


def test_the_command_line_loads_it_with_its_parameters(annotate) -> None:
    from cvat_cli._internal.common import FunctionLoader
    from cvat_cli._internal.parsers import parse_function_parameter

    given = ["words=str:striped, dotted", "background=str:grass, sky", "model=str:mini", "host=str:naclip"]
    parameters = dict(map(parse_function_parameter, [*given, "connected=bool:false", "min_pixels=int:1"]))
    loaded: Any = FunctionLoader("feedseg.integrations.cvat", None, parameters).load()
    assert [label.name for label in loaded.spec.labels] == ["striped", "dotted"]
    assert annotate(loaded)


def test_a_word_that_the_model_does_not_know_is_said_at_once() -> None:
    from feedseg.integrations.cvat import create

    with pytest.raises(FeedsegError, match="giraffe"):
        create("giraffe, striped", model="mini")


@pytest.mark.parametrize("holes", [False, True])
def test_a_polygon_stays_within_a_pixel_of_its_region(holes: bool) -> None:
    y, x = np.mgrid[:80, :100]
    mask = ((x - 50) / 45) ** 2 + ((y - 40) / 30) ** 2 < 1
    if holes:
        mask &= (x - 50) ** 2 + (y - 40) ** 2 > 100
    (points,) = polygons(FoundObject(1, "a", (7, 9, 107, 89), 1.0, mask))
    corners = np.array(points).reshape(-1, 2) - (7, 9)
    assert 8 <= len(corners) < 40, "simplified"
    drawn = Image.new("1", (400, 320))
    ImageDraw.Draw(drawn).polygon([*(corners * 4).ravel()], fill=1)
    large = ndimage.binary_fill_holes(mask).repeat(4, axis=0).repeat(4, axis=1)
    wrong = np.asarray(drawn) ^ large
    edge = ndimage.distance_transform_edt(large) + ndimage.distance_transform_edt(~large)
    assert edge[wrong].max() <= 8, "two pixels: one for the staircase, one for the tolerance"


@pytest.mark.parametrize("ring", [[(0, 0), (1, 0), (1, 1), (0, 1)], [(0, 0), (9, 0), (9, 1), (0, 1)]])
def test_a_ring_keeps_three_corners(ring: list[tuple[int, int]]) -> None:
    assert len(simplified(np.array(ring, float), 5.0)) >= 3


def test_one_word_is_enough() -> None:
    """What is none of it is a stock list of backgrounds, which is not annotated."""
    function = create("striped", model="mini")
    assert [label.name for label in function.spec.labels] == ["striped"]
    assert function.vocabulary.has_background
    with pytest.raises(FeedsegError, match="only word"):
        create("striped", background="", model="mini")
