"""`feedseg demo`: the sheet of photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from feedseg.evaluation.photographs import FEEDBACKS, MODEL, Photograph
from feedseg.io.palette import class_colours
from feedseg.io.sheet import Entry, Panel, Sheet, tinted
from feedseg.segmentation import Segmentation

HEIGHT, WIDTH = 240, 320  # of a panel, pixels
MENTIONED = 0.005  # a word is listed below a panel from this fraction of the image on


# What is said of a feedback above its column.
SAID = {
    "none": ("no feedback", "the host's own attention"),
    "paper": ("paper's feedback", "constants chosen for CLIP"),
    "calibrated": ("calibrated feedback", "this model's default"),
}


def compose_photographs(found: Sequence[tuple[Photograph, Sequence[Segmentation]]]) -> Sheet:
    """Each photograph as it is, and its classes with every feedback."""
    rows = []
    for photograph, results in found:
        colours = class_colours(photograph.words, False)
        row = [Panel(_fitted(Image.fromarray(results[0].image)), [[Entry(", ".join(photograph.words))]])]
        for result in results:
            # the sheet shows label 0 as background, and here there is none
            drawn = _fitted(tinted(result.image, result.labels + 1, np.vstack((colours[:1], colours))))
            row.append(Panel(drawn, [_areas(result, colours)]))
        rows.append(row)
    return Sheet(
        title="Photographs, by words that nobody trained it for",
        text=(
            f"The bundled model {MODEL} gave every pixel one of the words on the left. Nothing was downloaded, and no "
            "mask was ever learnt from. Feedback: what is first predicted for the patches corrects which of them "
            "attend to which, and they are predicted again. There is no ground truth here: judge by eye.",
        ),
        legend=[],
        columns=(
            ("photograph", "the words that were asked for"),
            *(SAID[feedback] for feedback in FEEDBACKS),
        ),
        rows=rows,
        footnote=(
            "Below the results: the fraction of the image. Photographs: camera (Lav Varshney) and chelsea (Stefan van "
            "der Walt), CC0; astronaut (NASA) and rocket (SpaceX), public domain. Drawn by feedseg demo."
        ),
    )


def _fitted(image: Image.Image) -> Image.Image:
    """In the middle of a panel, as large as fits."""
    scale = min(WIDTH / image.width, HEIGHT / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    panel = Image.new("RGB", (WIDTH, HEIGHT), "white")
    panel.paste(image.resize(size, Image.Resampling.LANCZOS), ((WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2))
    return panel


def _areas(result: Segmentation, colours: np.ndarray) -> list[Entry]:
    """The classes that are on the panel, largest first."""
    order = sorted(result.area_fractions.items(), key=lambda item: -item[1])
    mentioned = [(name, fraction) for name, fraction in order if fraction >= MENTIONED]
    labels = {name: result.names.index(name) for name, _ in mentioned}
    return [Entry(f"{name} {fraction:.0%}", _rgb(colours[labels[name]])) for name, fraction in mentioned]


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = map(int, colour)
    return red, green, blue
