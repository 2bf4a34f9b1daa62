"""The photographs that the demonstration shows: bundled, with words for what is on them, and no masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files

from feedseg.io.images import RgbImage, read_image
from feedseg.segmentation import Segmentation
from feedseg.segmenter import Segmenter
from feedseg.vocabulary import Vocabulary

MODEL = "photo"
FOLDER = "models/photographs"  # in the package; SOURCES.md there says where each is from
FEEDBACKS = ("none", "paper", "calibrated")


@dataclass(frozen=True)
class Photograph:
    """A bundled photograph, and the words that it is asked for: chosen by eye for what is on it."""

    name: str
    words: tuple[str, ...]

    def read(self) -> RgbImage:
        """Its pixels."""
        with as_file(files("feedseg") / FOLDER / f"{self.name}.jpg") as path:
            return read_image(path)


PHOTOGRAPHS = (
    Photograph("camera", ("person", "tripod", "grass", "sky", "building")),
    Photograph("chelsea", ("cat", "blanket", "wall")),
    Photograph("astronaut", ("person", "flag", "rocket", "helmet", "wall")),
    Photograph("rocket", ("sky", "tower", "rocket")),
)


def segment_photographs(advance: Callable[[], None]) -> list[tuple[Photograph, list[Segmentation]]]:
    """Every photograph with every feedback, on the CPU; `advance` is called for each result."""
    segmenter = Segmenter.load(MODEL, device="cpu")
    found = []
    for photograph in PHOTOGRAPHS:
        encoded = segmenter.encode(photograph.read())
        results = []
        for feedback in FEEDBACKS:
            results.append(encoded.segment(Vocabulary(photograph.words), feedback=feedback))
            advance()
        found.append((photograph, results))
    return found
