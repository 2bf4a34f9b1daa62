"""`feedseg segment`: its options, and the run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedseg.apps.cli import options
from feedseg.apps.cli.options import EXPERT, MODEL, OUTPUT, SIZE, WORDS, flag, option
from feedseg.errors import FeedsegError
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.weights.catalog import DEFAULT_MODEL

if TYPE_CHECKING:
    from feedseg.engine.outcomes import Outcome
    from feedseg.io.sources.base import Failure, Job
    from feedseg.segmenter import Segmenter
    from feedseg.vocabulary import Vocabulary

EXAMPLES = """Examples:
  feedseg segment cat.jpg --labels cat
  feedseg segment cat.jpg --labels "cat; kitten, sofa, rug"
  feedseg segment photos --labels "car, road" --background "sky, trees"
  feedseg segment photos --vocabulary words.txt --model vit-l-14 --out results
  feedseg segment photos --labels "cat, dog" --json > results.jsonl

Exit code: 0 all is well, 1 some images failed, 2 nothing could be started,
130 interrupted.
"""


def segment(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES_OR_FOLDERS", help="Images; folders are searched for them, at any depth."),
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
        str | None,
        option(
            WORDS,
            "WORDS",
            "Words for the background, which is one class; without them a stock list: sky, wall, tree, …",
            "--background",
            "-b",
        ),
    ] = None,
    no_background: Annotated[
        bool, flag(WORDS, "--no-background", "No background class: every pixel gets one of the words.")
    ] = False,
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
    model: options.ModelName = DEFAULT_MODEL,
    host: options.Host = "proxyclip",
    proxy: options.Proxy = None,
    feedback: Annotated[
        str,
        option(
            MODEL,
            "NAME",
            "Correct the attention by what it made the patches predict. auto: what suits the model; paper: as "
            f"published; calibrated: with scales taken from each image; none: not at all; or {options.OWN}.",
            show_default=True,
        ),
    ] = AUTO,
    refiner: options.Refiner = None,
    device: options.Device = None,
    short_side: Annotated[
        int | None, option(SIZE, "N", "Resize the short side to N pixels; more is finer and slower.", min=1)
    ] = None,
    window: Annotated[
        str | None, option(SIZE, "N|none", "Cut windows of N pixels; none: the whole image at once.")
    ] = None,
    stride: Annotated[int | None, option(SIZE, "N", "Pixels from one window to the next.", min=1)] = None,
    speed: Annotated[
        str,
        option(
            SIZE,
            "NAME",
            "protocol: overlapping windows as the host's paper has them; fast: each part of the image once.",
            show_default=True,
        ),
    ] = "protocol",
    out: Annotated[
        str, option(OUTPUT, "DIR", "The folder for the results.", "--out", "-o", show_default=True)
    ] = "feedseg-out",
    as_json: Annotated[bool, flag(OUTPUT, "--json", "Print one line of JSON per image to stdout.")] = False,
    class_token: options.ClassToken = None,
    residual: options.Residual = None,
    dtype: options.Dtype = None,
    batch_size: Annotated[int | None, option(EXPERT, "N", "How many windows are computed together.", min=1)] = None,
) -> None:
    """Give every pixel of your images one of your own words.

    For every image b.jpg the folder of the results gets
      b.labels.png   the class of every pixel: an indexed PNG with a palette
      b.overlay.png  the image in its classes' colours, with a legend
      b.labels.json  names, areas, confidence, models and their revisions
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable, choose_vocabulary
    from feedseg.io.sources.find import find_images

    check_speed(speed, {"window": window, "stride": stride})
    words = choose_vocabulary(labels, background, no_background, vocabulary, threshold)
    changes = options.settings_changes(short_side, window, stride)
    refiners = options.known_refiners(refiner)
    if feedback not in (AUTO, NO_FEEDBACK, *FEEDBACKS.names()) and ":" not in feedback:
        raise FeedsegError(f"{FEEDBACKS.unknown(feedback)}, {AUTO} or {NO_FEEDBACK}")
    folder = check_writable(out)
    jobs, failures = find_images(images, folder)
    if not jobs:
        raise FeedsegError("; ".join(failure.reason for failure in failures))
    loading = {
        "host": options.known_host(host),
        "proxy": proxy,
        "feedback": feedback,
        "device": device,
        "dtype": dtype,
        "class_token": class_token,
        "residual": residual,
        "batch_size": batch_size,
    }

    from feedseg.apps.cli.loading import load_segmenter

    segmenter = load_segmenter(model, loading, changes, speed)
    raise typer.Exit(segment_files(segmenter, words, refiners, jobs, failures, folder, as_json=as_json))


def segment_files(
    segmenter: Segmenter,
    vocabulary: Vocabulary,
    refiners: Sequence[str],
    jobs: Sequence[Job],
    failures: Sequence[Failure],
    out: Path,
    *,
    as_json: bool,
) -> int:
    """Segment and save, say what came of it, and return the exit code.

    Args:
        segmenter: see `SegmentFiles`, as are vocabulary, refiners and jobs.
        failures: arguments that lead to no image.
        out: the folder of the results.
        as_json: print a JSON line per image to stdout, and all that is for people to stderr.
    """
    from feedseg.apps.cli.console import console, is_live, progress
    from feedseg.apps.cli.render_segment import SegmentSummary, described
    from feedseg.engine.local import Local
    from feedseg.engine.run import SOME_FAILED, run
    from feedseg.engine.segment import SegmentFiles
    from feedseg.io.output import Output

    automatic, vocabulary = vocabulary.automatic, segmenter.resolved(vocabulary)
    summary = SegmentSummary(vocabulary, as_json, automatic=automatic)
    started = time.monotonic()
    with progress(visible=not (as_json and is_live(console()))) as bar:
        words = bar.add_task("words", total=None, visible=False)
        segmenter.embed(vocabulary, lambda done, total: bar.update(words, completed=done, total=total, visible=True))
        bar.remove_task(words)
        images = bar.add_task("images", total=len(jobs))
        for failure in failures:
            summary.fail(failure.input, failure.reason)

        def tell(outcome: Outcome[Job, dict[str, Any]]) -> None:
            summary.add(outcome)
            bar.advance(images)

        totals = run(Local(SegmentFiles(segmenter, vocabulary, Output.of(), refiners)), jobs, progress=tell)
    summary.show(described(segmenter), out, time.monotonic() - started)
    summary.interrupted(totals)
    return totals.exit_code or (SOME_FAILED if failures else 0)
