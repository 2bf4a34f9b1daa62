"""`feedseg evaluate`: its options. What it does is imported when it runs, so that --help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from feedseg.apps.cli import measuring
from feedseg.apps.cli.measuring import DATA, WORK
from feedseg.apps.cli.options import MODEL, OUTPUT, option
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS
from feedseg.weights.catalog import DEFAULT_MODEL

EXAMPLES = """Examples:
  feedseg evaluate scenes --model mini --limit 50
  feedseg evaluate scenes --model mini --limit 50 --feedback none,paper,calibrated
  feedseg evaluate voc21 voc20 --data VOCdevkit
  feedseg evaluate coco-stuff --data coco_stuff164k --shards 4
  feedseg evaluate --dataset mine.toml --data photos --protocol host

Exit code: 0 all is well, 1 some pictures failed, 2 nothing could be started,
130 interrupted.
"""


def evaluate(
    benchmarks: Annotated[
        list[str] | None,
        typer.Argument(metavar="BENCHMARKS", help=f"Published benchmarks: {', '.join(BENCHMARKS)}."),
    ] = None,
    data: measuring.DataRoot = None,
    dataset: Annotated[
        list[str] | None, option(DATA, "FILE", "A data set of your own, a TOML file; may be repeated.", "--dataset")
    ] = None,
    limit: measuring.Limit = None,
    model: measuring.ModelName = DEFAULT_MODEL,
    host: measuring.Host = "proxyclip",
    proxy: measuring.Proxy = None,
    feedback: Annotated[
        str,
        option(
            MODEL,
            "NAMES",
            "What is compared, separated by commas: none, paper, calibrated, and control, the host's attention twice.",
            show_default=True,
        ),
    ] = "none,paper,control",
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
        str, option(OUTPUT, "DIR", "The folder for journals and report.", "--out", "-o", show_default=True)
    ] = "feedseg-evaluation",
    workers: measuring.Workers = 2,
    shards: measuring.Shards = 1,
    shard: Annotated[
        str | None, option(WORK, "K/N", "Measure only the K-th of N shares, for clusters; see docs/benchmarks.md.")
    ] = None,
    class_token: measuring.ClassToken = None,
    residual: measuring.Residual = None,
) -> None:
    """Measure mIoU on benchmarks, without and with feedback, and write a report.

    The same command goes on where an interrupted one has stopped.

    The results' folder gets report.html, report.md, report.json, and journals.
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable

    check_speed(speed, {"window": window, "stride": stride})
    variants = chosen_variants(feedback)
    asked = (*(benchmarks or ()), *(dataset or ()))
    if not asked:
        raise FeedsegError(f"say what to measure on: {', '.join(BENCHMARKS)}, or --dataset FILE")
    part = measuring.parse_share(shard)
    if part is not None and shards > 1:
        raise FeedsegError("--shard is one share of the work, and --shards splits all of it: give one of them")
    folder = check_writable(out)

    from feedseg.apps.cli.experiments import Request
    from feedseg.apps.cli.run_evaluate import evaluate as run
    from feedseg.engine.journal import Share

    request = Request(
        benchmarks=asked,
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
        variants=variants,
    )
    raise typer.Exit(run(request, shards, None if part is None else Share(*part)))


def chosen_variants(names: str) -> tuple[str, ...]:
    """What --feedback asks for, as journals and reports call it, without feedback first."""
    called = {"none": "without", "paper": "feedback", "calibrated": "calibrated", "control": "control"}
    wanted = [name.strip() for name in names.split(",")]
    if wrong := [name for name in wanted if name not in called]:
        raise FeedsegError(f"--feedback takes {', '.join(called)}, separated by commas, not {wrong[0]!r}")
    return tuple(variant for name, variant in called.items() if name in wanted)
