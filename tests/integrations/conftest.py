from dataclasses import dataclass

import pytest
from PIL import Image

from feedseg import Segmenter
from feedseg.evaluation.scenes import draw_scene
from feedseg.segmentation import Segmentation

WORDS, BACKGROUND = "striped, dotted, plain, checked", "grass, sky"


@dataclass(frozen=True)
class Desk:
    """The toy model, a drawn scene and what the model makes of it."""

    segmenter: Segmenter
    image: Image.Image
    result: Segmentation


@pytest.fixture(scope="session")
def desk() -> Desk:
    """`desk.segmenter`, `desk.image` and `desk.result`, of which the background is class 0."""
    from feedseg import Vocabulary

    segmenter = Segmenter.load("mini", host="naclip", device="cpu")
    image = Image.fromarray(draw_scene(5, (90, 120), (2, 3)).image)
    result = segmenter(image, Vocabulary.parse_line(WORDS, BACKGROUND))
    assert len(result) > 1
    return Desk(segmenter, image, result)
