"""`feedseg segment`: its options. What it does is imported when it runs, so that --help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feedseg.apps.cli.options import EXPERT, MODEL, OUTPUT, SIZE, WORDS, flag, option
from feedseg.errors import FeedsegError
from feedseg.settings import FEEDBACKS, HOST_SETTINGS
from feedseg.weights.catalog import DEFAULT_MODEL, DEFAULT_PROXY

EXAMPLES = """Examples:
  feedseg segment cat.jpg --labels "cat; kitten, sofa, rug"
  feedseg segment photos --labels "car, road" --background "sky, trees"
  feedseg segment photos --vocabulary words.txt --model vit-l-14 --out results
  feedseg segment photos --labels "cat, dog" --json > results.jsonl

Exit code: 0 all is well, 1 some pictures failed, 2 nothing could be started,
130 interrupted.
"""


def segment(
    pictures: Annotated[
        list[str],
        typer.Argument(metavar="PICTURES_OR_FOLDERS", help="Pictures; folders are searched for them, at any depth."),
    ],
    labels: Annotated[
        str | None,
        option(
            WORDS,
            "WORDS",
            'Classes, separated by commas; more words for the same class after semicolons: "cat; kitten, sofa".',
            "--labels",
            "-l",
        ),
    ] = None,
    background: Annotated[
        str | None, option(WORDS, "WORDS", "Words for the background, which is one class.", "--background", "-b")
    ] = None,
    vocabulary: Annotated[
        Path | None, option(WORDS, "FILE", "Read the words from a text file, a class a line.", "--vocabulary", "-v")
    ] = None,
    threshold: Annotated[
        float | None,
        option(
            WORDS,
            "P",
            "Pixels whose best class is less probable than this (0 to below 1) become background.",
            "--threshold",
            "-t",
        ),
    ] = None,
    model: Annotated[
        str,
        option(
            MODEL,
            "NAME",
            "A name that `feedseg models` lists, owner/name on the hub, or a folder.",
            "--model",
            "-m",
            show_default=True,
        ),
    ] = DEFAULT_MODEL,
    host: Annotated[
        str,
        option(MODEL, "NAME", f"How patches attend to each other: {', '.join(HOST_SETTINGS)}.", show_default=True),
    ] = "proxyclip",
    proxy: Annotated[
        str | None,
        option(
            MODEL,
            "NAME",
            "The encoder that guides proxyclip: a listed name, owner/name on the hub, a folder, or self for the model. "
            f"Beside a CLIP it is {DEFAULT_PROXY} unless you choose.",
        ),
    ] = None,
    feedback: Annotated[
        str,
        option(
            MODEL,
            "NAME",
            "Read a second time with what the first reading found. paper: as published; calibrated: with scales taken "
            "from each picture; none: read once.",
            show_default=True,
        ),
    ] = FEEDBACKS[0],
    device: Annotated[
        str | None, option(MODEL, "NAME", "cpu, cuda, cuda:1, mps; the best there is unless you choose.")
    ] = None,
    short_side: Annotated[
        int | None, option(SIZE, "N", "Resize the short side to N pixels; more is finer and slower.", min=1)
    ] = None,
    window: Annotated[
        str | None, option(SIZE, "N|none", "Look through windows of N pixels; none: at the whole picture at once.")
    ] = None,
    stride: Annotated[int | None, option(SIZE, "N", "Pixels from one window to the next.", min=1)] = None,
    speed: Annotated[
        str,
        option(
            SIZE,
            "NAME",
            "protocol: overlapping windows as the host's paper has them; fast: each part of the picture once.",
            show_default=True,
        ),
    ] = "protocol",
    out: Annotated[
        str, option(OUTPUT, "DIR", "The folder for the results.", "--out", "-o", show_default=True)
    ] = "feedseg-out",
    as_json: Annotated[bool, flag(OUTPUT, "--json", "Print one line of JSON per picture to stdout.")] = False,
    class_token: Annotated[
        bool | None,
        flag(EXPERT, "--class-token/--no-class-token", "Let patches attend to the class token, or not."),
    ] = None,
    residual: Annotated[
        bool | None,
        flag(EXPERT, "--residual/--no-residual", "Keep the last block's residual and feed-forward, or not."),
    ] = None,
    dtype: Annotated[str | None, option(EXPERT, "TYPE", "fp32, fp16 or bf16.")] = None,
    batch_size: Annotated[int | None, option(EXPERT, "N", "How many windows are computed together.", min=1)] = None,
) -> None:
    """Name every pixel of your pictures with your own words.

    For every picture b.jpg the folder of the results gets
      b.labels.png   the class of every pixel: an indexed PNG with a palette
      b.overlay.png  the picture in its classes' colours, with a legend
      b.labels.json  names, areas, confidence, models and their revisions
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable, choose_vocabulary, find_pictures

    check_speed(speed, {"window": window, "stride": stride})
    words = choose_vocabulary(labels, background, vocabulary, threshold)
    changes: dict[str, Any] = {"short_side": short_side, "stride": stride}
    changes = {name: value for name, value in changes.items() if value is not None}
    if window is not None:
        changes["window"] = _window(window)
    folder = check_writable(out)
    jobs, failures = find_pictures(pictures, folder)
    if not jobs:
        raise FeedsegError("; ".join(failure.reason for failure in failures))
    options = {
        "host": host,
        "proxy": proxy,
        "feedback": feedback,
        "device": device,
        "dtype": dtype,
        "class_token": class_token,
        "residual": residual,
        "batch_size": batch_size,
    }

    from feedseg.apps.cli.run_segment import load_segmenter, segment_pictures

    segmenter = load_segmenter(model, options, changes, speed)
    raise typer.Exit(segment_pictures(segmenter, words, jobs, failures, folder, as_json=as_json))


def _window(text: str) -> int | None:
    if text.lower() == "none":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise FeedsegError(f"--window is a number of pixels or none, not {text!r}")
    return int(text)
