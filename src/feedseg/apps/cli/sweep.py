"""`feedseg sweep`: its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import MODEL, OUTPUT, flag, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS
from feedseg.io.limits import FileLimits
from feedseg.weights.catalog import PAPER_MODEL

VALUES = "What is varied: several values each, separated by commas"

EXAMPLES = """Examples:
  feedseg sweep scenes --model mini --limit 50 --lambda 2,3,4,6 --p 0.3,0.45
  feedseg sweep voc20 --data VOCdevkit --terms FA,AF,F,FA+AF+F --passes 1,2
  feedseg sweep voc20 --data VOCdevkit --scale 7,20 --isolation 12,35 --grid

Exit code: 0 all is well, 1 some images failed, 2 nothing could be started,
130 interrupted.
"""


def sweep(
    benchmark: Annotated[
        str, typer.Argument(metavar="BENCHMARK", help=f"{', '.join(BENCHMARKS)}, or a TOML file of your own.")
    ],
    sharpness: Annotated[str | None, option(VALUES, "VALUES", "Sharpness λ of the feedback.", "--lambda")] = None,
    keep: Annotated[str | None, option(VALUES, "VALUES", "The fraction p of a row that pruning keeps.", "--p")] = None,
    scale: Annotated[
        str | None, option(VALUES, "VALUES", "What the first projection's cosines are multiplied by.")
    ] = None,
    isolation: Annotated[str | None, option(VALUES, "VALUES", "And those of the uniform attention.")] = None,
    terms: Annotated[str | None, option(VALUES, "VALUES", "Terms of the ensemble, joined by +: FA+AF+F,FA,F.")] = None,
    passes: Annotated[str | None, option(VALUES, "VALUES", "How often the feedback is applied.")] = None,
    vary: Annotated[
        list[str] | None,
        option(VALUES, "NAME=VALUES", "Any other constant of the feedback; may be repeated.", "--vary"),
    ] = None,
    grid: Annotated[
        bool, flag(VALUES, "--grid", "All values with all others, instead of one constant at a time.")
    ] = False,
    data: options.DataRoot = None,
    limit: options.Limit = None,
    model: options.ModelName = PAPER_MODEL,
    host: options.Host = "proxyclip",
    proxy: options.Proxy = None,
    feedback: Annotated[
        str,
        option(MODEL, "NAME", f"Whose constants are varied: a name, or {options.OWN}.", show_default=True),
    ] = "paper",
    refiner: options.Refiner = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    protocol: options.ProtocolName = "fsa",
    short_side: options.ShortSide = None,
    window: options.WindowSide = None,
    stride: options.Stride = None,
    speed: options.Speed = "protocol",
    logit_scale: options.LogitScale = None,
    threshold: options.Threshold = None,
    vocabulary: options.Words = None,
    out: Annotated[
        str, option(OUTPUT, "DIR", "The folder for the journal, table and plot.", "--out", "-o", show_default=True)
    ] = "feedseg-sweep",
    max_bytes: options.MaxBytes = options.MAX_BYTES,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_seconds: options.MaxSeconds = FileLimits.seconds,
    workers: options.Workers = 2,
    shards: options.Shards = 1,
    give_up_after: options.GiveUp = 3600.0,
    class_token: options.ClassToken = None,
    residual: options.Residual = None,
    help_all: options.HelpAll = False,
) -> None:
    """Compare settings of the feedback on a benchmark, with intervals.

    Every image goes through the model once, and every setting is asked of it.

    The same command goes on where an interrupted one has stopped.

    The results' folder gets sweep.md, sweep.json, sweep.svg, and a journal.
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable

    check_speed(speed, {"window": window, "stride": stride})
    given = {"lambda": sharpness, "p": keep, "scale": scale, "isolation": isolation, "terms": terms, "passes": passes}
    values = {name: parse_values(name, text) for name, text in given.items() if text is not None}
    values |= parse_others(vary or ())
    if not values:
        raise FeedsegError(f"say what is varied: {', '.join(f'--{name}' for name in given)}, each with several values")
    refiners = option_values.known_refiners(refiner)
    folder = check_writable(out)

    with lasting_imports():
        from feedseg.apps.cli.render_sweep import sweep as run
        from feedseg.evaluation.request import Request
        from feedseg.evaluation.sweep import Sweep
        from feedseg.vision.feedback import FEEDBACKS

    compared = Sweep(values, grid)
    compared.settings(FEEDBACKS.load(feedback))  # a value that cannot be is told before anything is loaded
    request = Request(
        benchmarks=(benchmark,),
        data=data,
        model=model,
        options={
            "host": option_values.known_host(host),
            "proxy": proxy,
            "feedback": feedback,
            "device": device,
            "dtype": dtype,
            "class_token": class_token,
            "residual": residual,
        },
        protocol=protocol,
        changes=option_values.settings_changes(short_side, window, stride, logit_scale),
        speed=speed,
        threshold=threshold,
        vocabulary=vocabulary,
        limit=limit,
        workers=workers,
        out=folder,
        refiners=refiners,
        sweep=compared,
        give_up_after=give_up_after,
        limits=option_values.file_limits(max_bytes, max_pixels, max_seconds),
    )
    raise typer.Exit(run(request, shards))


def parse_values(name: str, text: str) -> tuple[Any, ...]:
    """The values on the command line: numbers, whole numbers for passes, tuples for terms.

    Raises:
        FeedsegError: the text is something else.
    """
    converters: dict[str, tuple[Callable[[str], Any], str]] = {
        "passes": (int, "whole numbers"),
        "terms": (lambda part: tuple(term.strip() for term in part.split("+")), "terms joined by +"),
    }
    convert, what = converters.get(name, (float, "numbers"))
    try:
        return tuple(convert(part.strip()) for part in text.split(","))
    except ValueError:
        raise FeedsegError(f"--{name} takes {what} separated by commas, not {text!r}") from None


def parse_others(given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """--vary NAME=VALUES, several times: numbers, true and false, and else texts.

    Raises:
        FeedsegError: the text is something else.
    """
    values: dict[str, tuple[Any, ...]] = {}
    for text in given:
        name, equals, parts = text.partition("=")
        if not equals or not name.strip() or not parts.strip():
            raise FeedsegError(f"--vary takes NAME=VALUES, as in --vary scale=7,20, not {text!r}")
        values[name.strip().replace("-", "_")] = tuple(_value(part.strip()) for part in parts.split(","))
    return values


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
