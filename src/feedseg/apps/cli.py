"""The command line: options and exit codes. All else is imported when a command runs, so that --help is quick."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from errno import ENOSPC
from pathlib import Path
from typing import Annotated, Any

import typer

from feedseg.apps.console import complain, explained, out_of_memory, short_warnings
from feedseg.errors import FeedsegError
from feedseg.settings import HOST_SETTINGS
from feedseg.vision.catalog import DEFAULT_MODEL, DEFAULT_PROXY

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130

WORDS, MODEL, SIZE, OUTPUT = "What to look for", "Model", "Picture size (each host has its own)", "Output"
EXPERT = "For experiments (left out: as published, and what suits the device)"

EXAMPLES = """Examples:
  feedseg segment cat.jpg --labels "cat; kitten, sofa, rug"
  feedseg segment photos --labels "car, road" --background "sky, trees"
  feedseg segment photos --vocabulary words.txt --model vit-l-14 --out results
  feedseg segment photos --labels "cat, dog" --json > results.jsonl

Exit code: 0 all is well, 1 some pictures failed, 2 nothing could be started,
130 interrupted.
"""

app = typer.Typer(
    name="feedseg",
    help="Name every pixel of a picture with your own words. Nothing is trained.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _option(panel: str, metavar: str, text: str, *names: str, **more: Any) -> Any:
    """An option with a value; called like the parameter unless it has `names`."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, **{"show_default": False, **more})


def _flag(panel: str, names: str, text: str) -> Any:
    """An option without a value."""
    return typer.Option(names, metavar="", help=text, rich_help_panel=panel, show_default=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"feedseg {version('feedseg')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Takes the options that belong to no command."""


@app.command(epilog=EXAMPLES)
def segment(
    pictures: Annotated[
        list[str],
        typer.Argument(metavar="PICTURES_OR_FOLDERS", help="Pictures; folders are searched for them, at any depth."),
    ],
    labels: Annotated[
        str | None,
        _option(
            WORDS,
            "WORDS",
            'Classes, separated by commas; more words for the same class after semicolons: "cat; kitten, sofa".',
            "--labels",
            "-l",
        ),
    ] = None,
    background: Annotated[
        str | None, _option(WORDS, "WORDS", "Words for the background, which is one class.", "--background", "-b")
    ] = None,
    vocabulary: Annotated[
        Path | None, _option(WORDS, "FILE", "Read the words from a text file, a class a line.", "--vocabulary", "-v")
    ] = None,
    threshold: Annotated[
        float | None,
        _option(
            WORDS,
            "P",
            "Pixels whose best class is less probable than this (0 to below 1) become background.",
            "--threshold",
            "-t",
        ),
    ] = None,
    model: Annotated[
        str,
        _option(
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
        _option(MODEL, "NAME", f"How patches attend to each other: {', '.join(HOST_SETTINGS)}.", show_default=True),
    ] = "proxyclip",
    proxy: Annotated[
        str | None,
        _option(
            MODEL,
            "NAME",
            "The encoder that guides proxyclip: a listed name, owner/name on the hub, a folder, or self for the model. "
            f"Beside a CLIP it is {DEFAULT_PROXY} unless you choose.",
        ),
    ] = None,
    feedback: Annotated[
        bool,
        _flag(
            MODEL, "--feedback/--no-feedback", "Feed the first predictions back and read a second time. On by default."
        ),
    ] = True,
    device: Annotated[
        str | None, _option(MODEL, "NAME", "cpu, cuda, cuda:1, mps; the best there is unless you choose.")
    ] = None,
    short_side: Annotated[
        int | None, _option(SIZE, "N", "Resize the short side to N pixels; more is finer and slower.", min=1)
    ] = None,
    window: Annotated[
        str | None, _option(SIZE, "N|none", "Look through windows of N pixels; none: at the whole picture at once.")
    ] = None,
    stride: Annotated[int | None, _option(SIZE, "N", "Pixels from one window to the next.", min=1)] = None,
    out: Annotated[
        str, _option(OUTPUT, "DIR", "The folder for the results.", "--out", "-o", show_default=True)
    ] = "feedseg-out",
    as_json: Annotated[bool, _flag(OUTPUT, "--json", "Print one line of JSON per picture to stdout.")] = False,
    class_token: Annotated[
        bool | None,
        _flag(EXPERT, "--class-token/--no-class-token", "Let patches attend to the class token, or not."),
    ] = None,
    residual: Annotated[
        bool | None,
        _flag(EXPERT, "--residual/--no-residual", "Keep the last block's residual and feed-forward, or not."),
    ] = None,
    dtype: Annotated[str | None, _option(EXPERT, "TYPE", "fp32, fp16 or bf16.")] = None,
    batch_size: Annotated[int | None, _option(EXPERT, "N", "How many windows are computed together.", min=1)] = None,
) -> None:
    """Name every pixel of your pictures with your own words.

    For every picture b.jpg the folder of the results gets
      b.labels.png   the class of every pixel: an indexed PNG with a palette
      b.overlay.png  the picture in its classes' colours, with a legend
      b.labels.json  names, areas, confidence, models and their revisions
    """
    from feedseg.apps.inputs import check_writable, choose_vocabulary, find_pictures

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

    from feedseg.apps.segment import load_segmenter, segment_pictures

    segmenter = load_segmenter(model, options, changes)
    raise typer.Exit(segment_pictures(segmenter, words, jobs, failures, folder, as_json=as_json))


def _window(text: str) -> int | None:
    if text.lower() == "none":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise FeedsegError(f"--window is a number of pixels or none, not {text!r}")
    return int(text)


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False) -> None:
    """List the models with a short name: size, licence, and what is already on this machine."""
    from feedseg.apps.models import list_models

    list_models(as_json=as_json)


@app.command()
def doctor(
    vectors: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Compare with the reference vectors in this folder instead.")
    ] = None,
) -> None:
    """Check the installation: versions, devices, caches, and a small computation with known results.

    Exits with 1 if a result is too far from what it should be.
    """
    if vectors is not None and not vectors.is_dir():
        raise FeedsegError(f"there is no folder {vectors}")

    from feedseg.apps.doctor import compare_with, examine

    raise typer.Exit(examine() if vectors is None else compare_with(vectors))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; every error is one line on stderr."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 -- where the caller has closed it
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    code = _run(list(sys.argv[1:] if arguments is None else arguments) or ["--help"])
    try:
        sys.stdout.flush()
    except OSError:  # whoever read it has had enough, or it has no room: what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or FAILED
    return code


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with short_warnings(), command.make_context("feedseg", arguments) as context:
            command.invoke(context)
        return 0
    except typer.Exit as done:
        return done.exit_code
    except FeedsegError as error:
        complain(str(error))
        return UNUSABLE
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        return _report(error)


def _report(error: Exception) -> int:
    """A wrong use of the command line, an output that takes no more, or a defect."""
    if isinstance(error, BrokenPipeError):
        return FAILED
    if isinstance(error, OSError) and error.errno == ENOSPC:
        complain(f"the output cannot be written: {error.strerror}")
        return FAILED
    if message := getattr(error, "format_message", None):  # typer's own exceptions, wherever its version keeps them
        context = getattr(error, "ctx", None)
        complain(f"{message()} (see {context.command_path if context else 'feedseg'} --help)")
        return UNUSABLE
    if advice := out_of_memory(error):
        complain(advice)
        return UNUSABLE
    complain(f"{explained(error)}; run with FEEDSEG_DEBUG=1 for the traceback, and please report it")
    return FAILED
