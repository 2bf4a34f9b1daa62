"""`feedseg compare`: its options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import MODEL, OUTPUT, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.vision.hosts import HOSTS
from feedseg.weights.catalog import DEFAULT_MODEL

EXAMPLES = """Examples:
  feedseg compare cat.jpg --labels "cat, sofa"
  feedseg compare cat.jpg --labels "cat, sofa" --hosts clip,proxyclip
  feedseg compare cat.jpg --labels "cat, sofa" --models photo,vit-b-16
"""
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def compare(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", show_default=False, help="An image file.")],
    labels: options.Labels = None,
    background: options.Background = None,
    no_background: options.NoBackground = False,
    vocabulary: options.WordsFile = None,
    hosts: Annotated[
        str | None, option(MODEL, "NAMES", f"A row each; all of {', '.join(HOSTS.names())} unless you choose.")
    ] = None,
    models: Annotated[str | None, option(MODEL, "NAMES", "Rows of models instead, by the first of --hosts.")] = None,
    model: options.ModelName = DEFAULT_MODEL,
    feedback: Annotated[
        str, option(MODEL, "NAMES", "A column each.", "--feedback", show_default=True)
    ] = "none,paper,calibrated",
    device: options.Device = None,
    out: Annotated[
        Path, option(OUTPUT, "FILE", "PNG, JPEG or WebP, by its ending.", "--out", "-o", show_default=True)
    ] = Path("compared.png"),
    max_bytes: options.MaxBytes = options.MAX_BYTES,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_seconds: options.MaxSeconds = FileLimits.seconds,
    help_all: options.HelpAll = False,
) -> None:
    """Draw one picture by every host and feedback on one sheet, to choose by eye.

    Instead of hosts it compares models with --models. Each result says how many
    pixels differ from the first one, and how long it took.
    """
    from feedseg.apps.cli.inputs import choose_vocabulary

    words = choose_vocabulary(labels, background, no_background, vocabulary, None)
    if out.suffix.lower() not in ENDINGS:
        raise FeedsegError(f"--out {out} has no ending of an image format: give one of {', '.join(ENDINGS)}")
    option_values.check_no_input(out, picture)
    limits = option_values.file_limits(max_bytes, max_pixels, max_seconds)
    columns = names("--feedback", feedback)
    for name in columns:
        option_values.known_feedback(name)
    chosen = list(HOSTS.names()) if hosts is None else names("--hosts", hosts)
    for name in chosen:
        option_values.known_host(name)

    from functools import partial

    with lasting_imports():
        from feedseg.apps.cli.console import console, facts, show, write
        from feedseg.apps.cli.loading import load_segmenter
        from feedseg.apps.cli.render_compare import compose, lines
        from feedseg.evaluation.compare import compare as compared
        from feedseg.files import write_atomically
        from feedseg.io.reading import isolated_reader
        from feedseg.io.sheet import draw_sheet
        from feedseg.io.writers.base import encoded
        from feedseg.segmenter import Segmenter

    with isolated_reader(limits) as reader:
        image = reader.image(Path(picture))
    rows: list[tuple[str, Callable[[], Segmenter]]]
    if models is None:
        first = load_segmenter(model, {"host": chosen[0], "device": device})
        rows = [(host, partial(Segmenter.load, first.model, host=host, device=device)) for host in chosen]
    else:
        loaded = {"host": "proxyclip" if hosts is None else chosen[0], "device": device}
        rows = [(name, partial(load_segmenter, name, loaded)) for name in names("--models", models)]
        first = rows[0][1]()
        rows[0] = rows[0][0], lambda: first
    words = first.resolved(words)
    found = compared(image, words, rows, columns)
    with write_atomically(out) as temporary:
        temporary.write_bytes(encoded(draw_sheet(compose(found)), out.suffix))
    show(console(), facts(lines(found)))
    write(f"Look at {out}")


def names(option_name: str, text: str) -> list[str]:
    """What an option names, separated by commas. Raises FeedsegError where that is nothing, or twice the same."""
    found = [name.strip() for name in text.split(",")]
    if not all(found) or len(set(found)) < len(found):
        raise FeedsegError(f"{option_name} takes different names separated by commas, not {text!r}")
    return found
