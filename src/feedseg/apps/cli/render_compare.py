"""`feedseg compare`: its sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from feedseg.apps.cli.render_photographs import SAID
from feedseg.evaluation.compare import Compared
from feedseg.io.palette import class_colours
from feedseg.io.sheet import GREY, Entry, Panel, Sheet, tinted
from feedseg.vision.hosts import HOSTS

LONGEST = 360  # pixels, of a panel's longer side
LEAST_WIDTH = 240  # so that notes have room


def compose(found: Sequence[Sequence[Compared]]) -> Sheet:
    """A row a host or model, a column a feedback, and the image in front."""
    first = found[0][0].result
    colours = class_colours(first.names, first.background)
    shades = colours if first.background else np.vstack((colours[:1], colours))
    legend = [
        Entry(name, GREY if first.background and not label else _rgb(colours[label]))
        for label, name in enumerate(first.names)
    ]
    rows = []
    for results in found:
        notes = [[Entry(results[0].row)], [Entry(f"encoded in {results[0].encode_seconds:.2f} s", pale=True)]]
        row = [Panel(_fitted(Image.fromarray(first.image)), notes)]
        for one in results:
            drawn = tinted(first.image, one.result.labels.astype(np.int64) + (not first.background), shades)
            row.append(Panel(_fitted(drawn), [[Entry(_differing(one, one is found[0][0]))], [_time(one)]]))
        rows.append(row)
    said = [SAID.get(one.feedback, (one.feedback, "")) for one in found[0]]
    return Sheet(
        title="One image, compared",
        text=("Every pixel has one of the words. There is no truth here: judge by eye.",),
        legend=legend,
        columns=(("image", _what(found)), *((heading, " ") for heading, _ in said)),
        rows=rows,
        footnote="Below the results: pixels with another class than in the first one, and the seconds behind encoding; "
        "one run each. Drawn by feedseg compare.",
    )


def lines(found: Sequence[Sequence[Compared]]) -> list[tuple[str, str]]:
    """The same figures as text."""
    return [
        (f"{one.row}, {one.feedback}", f"{_differing(one, one is found[0][0])}; {one.seconds:.2f} s")
        for results in found
        for one in results
    ]


def _what(found: Sequence[Sequence[Compared]]) -> str:
    return "host" if all(results[0].row in HOSTS.names() for results in found) else "model"


def _differing(one: Compared, is_first: bool) -> str:
    return "the first" if is_first else f"{one.differs:.1%} differ"


def _time(one: Compared) -> Entry:
    return Entry(f"{one.seconds:.2f} s", pale=True)


def _fitted(image: Image.Image) -> Image.Image:
    """As large as a panel, in the middle of it where the image is narrow."""
    scale = LONGEST / max(image.size)
    wide, high = (max(1, round(side * scale)) for side in image.size)
    panel = Image.new("RGB", (max(wide, LEAST_WIDTH), high), "white")
    panel.paste(image.resize((wide, high), Image.Resampling.LANCZOS), ((panel.width - wide) // 2, 0))
    return panel


def _rgb(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = map(int, colour)
    return red, green, blue
