"""`feedseg explain`: its options, and where the user points."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import MODEL, OUTPUT, WORDS, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.weights.catalog import DEFAULT_MODEL

EXAMPLES = """Examples:
  feedseg explain cat.jpg --labels "cat, sofa" --at 240,180
  feedseg explain cat.jpg --labels "cat, sofa" --at 40%,75% --out why.svg
"""


def explain(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", show_default=False, help="An image file.")],
    labels: options.Labels = None,
    background: options.Background = None,
    no_background: options.NoBackground = False,
    vocabulary: options.WordsFile = None,
    at: Annotated[
        str | None,
        option(
            WORDS,
            "X,Y",
            "The place, in pixels or as 40%,75% of width and height; else where feedback changes the most.",
            "--at",
        ),
    ] = None,
    model: options.ModelName = DEFAULT_MODEL,
    host: options.Host = "proxyclip",
    proxy: options.Proxy = None,
    feedback: Annotated[
        str,
        option(
            MODEL, "NAME", f"auto, {', '.join(FEEDBACKS.names())}, or {options.OWN}.", "--feedback", show_default=True
        ),
    ] = AUTO,
    device: options.Device = None,
    out: Annotated[
        Path, option(OUTPUT, "FILE", "PNG, SVG, PDF or JPEG, by its ending.", "--out", "-o", show_default=True)
    ] = Path("explained.png"),
    max_bytes: options.MaxBytes = options.MAX_BYTES,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_seconds: options.MaxSeconds = FileLimits.seconds,
    help_all: options.HelpAll = False,
) -> None:
    """Draw how one patch of a picture came to its class, stage by stage.

    The figure shows what the patch attends to by the host, what the patches
    predict, which of them are taken for the same, what it attends to after
    feedback, and the result before and after.
    """
    from feedseg.apps.cli.inputs import choose_vocabulary
    from feedseg.io.explained import checked_ending

    words = choose_vocabulary(labels, background, no_background, vocabulary, None)
    checked_ending(out)
    option_values.check_no_input(out, picture)
    limits = option_values.file_limits(max_bytes, max_pixels, max_seconds)
    if option_values.known_feedback(feedback) == NO_FEEDBACK:
        raise FeedsegError(f"--feedback none leaves nothing to explain: give {' or '.join(FEEDBACKS.names())}")
    option_values.known_host(host)
    place = None if at is None else parsed_place(at)

    with lasting_imports():
        from feedseg.apps.cli.console import console, facts, show, write
        from feedseg.apps.cli.loading import load_segmenter
        from feedseg.apps.cli.render_explain import rows
        from feedseg.io.reading import isolated_reader

    with isolated_reader(limits) as reader:
        image = reader.image(Path(picture))
    loading = {"host": host, "proxy": proxy, "feedback": feedback, "device": device}
    encoded = load_segmenter(model, loading).encode(image)
    found = encoded.explain(words, None if place is None else place_in(image.size, *place))
    found.save(out)
    show(console(), facts(rows(found)))
    write(f"Look at {out}")


def parsed_place(text: str) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """What --at says of x and y: a number, and whether it is a percentage.

    Raises:
        FeedsegError: it says something else.
    """
    parts = [part.strip() for part in text.split(",")]
    try:
        numbers = [(float(part.removesuffix("%")), part.endswith("%")) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 2 or not all(math.isfinite(number) for number, _ in numbers):
        raise FeedsegError(f"--at is X,Y in pixels, as in 240,180, or in percent, as in 40%,75%, not {text!r}")
    if wrong := [f"{number:g}%" for number, percent in numbers if percent and not 0 <= number <= 100]:
        raise FeedsegError(f"--at is 0% to 100% of the image, not {wrong[0]}")
    return numbers[0], numbers[1]


def place_in(size: tuple[int, int], x: tuple[float, bool], y: tuple[float, bool]) -> tuple[float, float]:
    """A place in pixels of an image of (height, width); 100% is the last pixel."""
    (across, of_width), (down, of_height) = x, y
    return (
        across / 100 * (size[1] - 1) if of_width else across,
        down / 100 * (size[0] - 1) if of_height else down,
    )
