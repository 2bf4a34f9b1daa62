"""The command line: its commands, and what errors become. What is heavy is imported when a command runs."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from errno import EMFILE, ENFILE, ENOSPC
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from feedseg.apps.cli import (
    batch,
    compare,
    convert,
    data,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    models,
    page,
    segment,
    serve,
    sweep,
)
from feedseg.apps.cli.console import complain, short_warnings
from feedseg.collector import leave_to_system
from feedseg.engine.interrupts import Terminated, termination_raised
from feedseg.engine.outcomes import explain as explained
from feedseg.engine.outcomes import memory_advice
from feedseg.errors import FeedsegError

FAILED, UNUSABLE, INTERRUPTED, TERMINATED = 1, 2, 130, 143  # exit codes

app = typer.Typer(
    name="feedseg",
    help="Open-vocabulary segmentation: every pixel gets one of your words. Nothing is trained.",
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


app.command()(demo.demo)
app.command(epilog=segment.EXAMPLES)(segment.segment)
app.command(epilog=batch.EXAMPLES)(batch.batch)
app.command(epilog=convert.EXAMPLES)(convert.convert)
app.command(epilog=explain.EXAMPLES)(explain.explain)
app.command(epilog=compare.EXAMPLES)(compare.compare)
app.command(epilog=export.EXAMPLES)(export.export)
app.add_typer(data.data, name="data")
app.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(epilog=sweep.EXAMPLES)(sweep.sweep)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command("app", epilog=page.EXAMPLES)(page.page)
app.command()(models.models)
app.command()(doctor.doctor)


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


def entry() -> NoReturn:
    """Run the command line as a process of its own: what a signal finds ending ends with its exit code all the same."""
    try:
        code = main()
    except KeyboardInterrupt:  # one more, while the first was told
        code = INTERRUPTED
    for number in (signal.SIGINT, signal.SIGTERM):  # ignored until the end: Python gives up handlers before that
        signal.signal(number, signal.SIG_IGN)
    leave_to_system()
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with termination_raised(), short_warnings(), command.make_context("feedseg", arguments) as context:
            command.invoke(context)
        return 0
    except typer.Exit as done:
        return done.exit_code
    except FeedsegError as error:
        complain(str(error))
        return UNUSABLE
    except Terminated:
        complain("terminated")
        return TERMINATED
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
    if isinstance(error, OSError) and error.errno in (EMFILE, ENFILE):
        complain(f"{error.strerror or 'too many open files'}: raise the limit, in a shell by ulimit -n 1024")
        return UNUSABLE
    if message := getattr(error, "format_message", None):  # typer's own exceptions, wherever its version keeps them
        context = getattr(error, "ctx", None)
        complain(f"{message()} (see {context.command_path if context else 'feedseg'} --help)")
        return UNUSABLE
    if advice := memory_advice(error):
        complain(advice)
        return UNUSABLE
    complain(f"{explained(error)}; run with FEEDSEG_DEBUG=1 for the traceback, and please report it")
    return FAILED
