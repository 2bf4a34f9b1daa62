"""`feedseg sweep`: its options. What it does is imported when it runs, so that --help is quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from feedseg.apps.cli import measuring
from feedseg.apps.cli.options import OUTPUT, flag, option
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS
from feedseg.weights.catalog import DEFAULT_MODEL

VALUES = "What is varied: several values each, separated by commas"

EXAMPLES = """Examples:
  feedseg sweep scenes --model mini --limit 50 --lambda 2,3,4,6 --p 0.3,0.45
  feedseg sweep voc20 --data VOCdevkit --terms FA,AF,F,FA+AF+F --passes 1,2
  feedseg sweep voc20 --data VOCdevkit --scale 7,20 --isolation 12,35 --grid

Exit code: 0 all is well, 1 some pictures failed, 2 nothing could be started,
130 interrupted.
"""


def sweep(
    benchmark: Annotated[
        str, typer.Argument(metavar="BENCHMARK", help=f"{', '.join(BENCHMARKS)}, or a TOML file of your own.")
    ],
    sharpness: Annotated[str | None, option(VALUES, "VALUES", "Sharpness λ of the feedback.", "--lambda")] = None,
    keep: Annotated[str | None, option(VALUES, "VALUES", "The share p of a row that pruning keeps.", "--p")] = None,
    scale: Annotated[
        str | None, option(VALUES, "VALUES", "What the first reading's cosines are multiplied by.")
    ] = None,
    isolation: Annotated[str | None, option(VALUES, "VALUES", "And those of the uniform attention.")] = None,
    terms: Annotated[str | None, option(VALUES, "VALUES", "Terms of the ensemble, joined by +: FA+AF+F,FA,F.")] = None,
    passes: Annotated[str | None, option(VALUES, "VALUES", "How often the feedback is applied.")] = None,
    grid: Annotated[
        bool, flag(VALUES, "--grid", "All values with all others, instead of one constant at a time.")
    ] = False,
    data: measuring.DataRoot = None,
    limit: measuring.Limit = None,
    model: measuring.ModelName = DEFAULT_MODEL,
    host: measuring.Host = "proxyclip",
    proxy: measuring.Proxy = None,
    device: measuring.Device = None,
    dtype: measuring.Dtype = None,
    protocol: measuring.ProtocolName = "fsa",
    short_side: measuring.ShortSide = None,
    window: measuring.WindowSide = None,
    stride: measuring.Stride = None,
    speed: measuring.Speed = "protocol",
    logit_scale: measuring.LogitScale = None,
    threshold: measuring.Threshold = None,
    vocabulary: measuring.Words = None,
    out: Annotated[
        str, option(OUTPUT, "DIR", "The folder for the journal, table and plot.", "--out", "-o", show_default=True)
    ] = "feedseg-sweep",
    workers: measuring.Workers = 2,
    shards: measuring.Shards = 1,
    class_token: measuring.ClassToken = None,
    residual: measuring.Residual = None,
) -> None:
    """Compare settings of the feedback on a benchmark, with intervals.

    Every picture goes through the model once and is asked by every setting.

    The same command goes on where an interrupted one has stopped.

    The results' folder gets sweep.md, sweep.json, sweep.svg, and a journal.
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable

    check_speed(speed, {"window": window, "stride": stride})
    given = {"lambda": sharpness, "p": keep, "scale": scale, "isolation": isolation, "terms": terms, "passes": passes}
    values = {name: parse_values(name, text) for name, text in given.items() if text is not None}
    if not values:
        raise FeedsegError(f"say what is varied: {', '.join(f'--{name}' for name in given)}, each with several values")
    folder = check_writable(out)

    from feedseg.apps.cli.experiments import Request
    from feedseg.apps.cli.run_sweep import sweep as run
    from feedseg.evaluation.sweep import Sweep
    from feedseg.vision.feedback.base import FeedbackAttention

    compared = Sweep(values, grid)
    compared.settings(FeedbackAttention())  # a value that cannot be is told before anything is loaded
    request = Request(
        benchmarks=(benchmark,),
        data=data,
        model=model,
        options=measuring.loading_options(host, proxy, device, dtype, class_token, residual),
        protocol=protocol,
        changes=measuring.changes_of(short_side, window, stride, logit_scale),
        speed=speed,
        threshold=threshold,
        vocabulary=vocabulary,
        limit=limit,
        workers=workers,
        out=folder,
        sweep=compared,
    )
    raise typer.Exit(run(request, shards))


def parse_values(name: str, text: str) -> tuple[Any, ...]:
    """The values on the command line: numbers, whole numbers for passes, tuples for terms."""
    kinds: dict[str, tuple[Callable[[str], Any], str]] = {
        "passes": (int, "whole numbers"),
        "terms": (lambda part: tuple(term.strip() for term in part.split("+")), "terms joined by +"),
    }
    convert, what = kinds.get(name, (float, "numbers"))
    try:
        return tuple(convert(part.strip()) for part in text.split(","))
    except ValueError:
        raise FeedsegError(f"--{name} takes {what} separated by commas, not {text!r}") from None
