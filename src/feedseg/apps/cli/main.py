"""The command line: options and exit codes. All else is imported when a command runs, so that --help is quick."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from errno import ENOSPC
from pathlib import Path
from typing import Annotated

import typer

from feedseg.apps.cli.console import complain, explained, out_of_memory, short_warnings
from feedseg.apps.cli.data import data
from feedseg.apps.cli.demo import demo
from feedseg.apps.cli.evaluate import EXAMPLES as EVALUATE_EXAMPLES
from feedseg.apps.cli.evaluate import evaluate
from feedseg.apps.cli.segment import EXAMPLES, segment
from feedseg.apps.cli.sweep import EXAMPLES as SWEEP_EXAMPLES
from feedseg.apps.cli.sweep import sweep
from feedseg.errors import FeedsegError

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="feedseg",
    help="Name every pixel of a picture with your own words. Nothing is trained.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


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


app.command()(demo)
app.command(epilog=EXAMPLES)(segment)
app.add_typer(data, name="data")
app.command(epilog=EVALUATE_EXAMPLES)(evaluate)
app.command(epilog=SWEEP_EXAMPLES)(sweep)


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False) -> None:
    """List the models with a short name: size, licence, and what is already on this machine."""
    from feedseg.apps.cli.run_models import list_models

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

    from feedseg.apps.cli.run_doctor import compare_with, examine

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
