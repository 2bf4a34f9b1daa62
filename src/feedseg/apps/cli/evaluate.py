"""`feedseg evaluate`: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import DATA, MODEL, OUTPUT, WORK, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS, SUITE
from feedseg.io.limits import FileLimits
from feedseg.vision.feedback import AUTO, FEEDBACKS
from feedseg.weights.catalog import PAPER_MODEL

EXAMPLES = """Examples:
  feedseg evaluate scenes --model mini --limit 50
  feedseg evaluate scenes --model mini --limit 50 --feedback none,paper,calibrated
  feedseg evaluate scenes --model mini --limit 50 --preset best
  feedseg evaluate voc21 voc20 --data VOCdevkit
  feedseg evaluate --suite --data FOLDER
  feedseg evaluate coco-stuff --data coco_stuff164k --shards 4
  feedseg evaluate --dataset mine.toml --data photos --protocol host

Exit code: 0 all is well, 1 some images failed or the suite's data are not all
there, 2 nothing could be started, 130 interrupted.
"""


COMPARED = "none,paper,control"
WITH_PRESET = "none,paper,calibrated,control"  # what a preset is compared with


def evaluate(
    benchmarks: Annotated[
        list[str] | None,
        typer.Argument(metavar="BENCHMARKS", help=f"Published benchmarks: {', '.join(BENCHMARKS)}."),
    ] = None,
    data: options.DataRoot = None,
    dataset: Annotated[
        list[str] | None, option(DATA, "FILE", "A data set of your own, a TOML file; may be repeated.", "--dataset")
    ] = None,
    suite: Annotated[
        bool,
        options.flag(DATA, "--suite", f"The {len(SUITE)} benchmarks of the papers, as far as their data are there."),
    ] = False,
    limit: options.Limit = None,
    model: options.ModelName = PAPER_MODEL,
    host: options.Host = "proxyclip",
    proxy: options.Proxy = None,
    feedback: Annotated[
        str,
        option(
            MODEL,
            "NAMES",
            "What is compared, separated by commas: none, paper, calibrated, auto (which suits the model), control "
            f"(the host's attention twice), or {options.OWN}.",
            show_default=True,
        ),
    ] = COMPARED,
    refiner: options.Refiner = None,
    preset: options.Preset = None,
    second_view: options.SecondView = None,
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
        str, option(OUTPUT, "DIR", "The folder for journals and report.", "--out", "-o", show_default=True)
    ] = "feedseg-evaluation",
    max_bytes: options.MaxBytes = options.MAX_BYTES,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_seconds: options.MaxSeconds = FileLimits.seconds,
    workers: options.Workers = 2,
    shards: options.Shards = 1,
    ray: Annotated[
        bool,
        options.flag(WORK, "--ray", "Measure on a Ray cluster, with --shards workers or as many as fit.", hidden=True),
    ] = False,
    address: options.Address = None,
    cpus: options.Cpus = None,
    gpus: options.Gpus = None,
    give_up_after: options.GiveUp = 3600.0,
    shard: Annotated[
        str | None,
        option(WORK, "K/N", "Measure only the K-th of N shards, for clusters; see docs/benchmarks.md.", hidden=True),
    ] = None,
    class_token: options.ClassToken = None,
    residual: options.Residual = None,
    help_all: options.HelpAll = False,
) -> None:
    """Measure mIoU on benchmarks, without and with feedback, and write a report.

    The same command goes on where an interrupted one has stopped.

    The results' folder gets report.html, report.md, report.json, and journals.
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable
    from feedseg.engine.cluster import Wanted
    from feedseg.engine.cluster_connection import check_ray

    check_speed(speed, {"window": window, "stride": stride})
    chosen = option_values.chosen_preset(
        preset, {"--host": host != "proxyclip", "--second-view": second_view is not None}
    )
    if chosen is not None:
        host, feedback = chosen.host, WITH_PRESET if feedback == COMPARED else feedback
    variants = chosen_variants(feedback)
    named = tuple(benchmarks or ())
    if suite and (twice := [name for name in named if name in SUITE]):
        raise FeedsegError(f"{twice[0]} is part of --suite: leave it out")
    asked = (*named, *(dataset or ()))
    if not asked and not suite:
        raise FeedsegError(f"say what to measure on: {', '.join(BENCHMARKS)}, --suite, or --dataset FILE")
    part = option_values.chosen_shard(shard, shards)
    if not ray and any(one is not None for one in (address, cpus, gpus)):
        raise FeedsegError("--address, --cpus and --gpus are of a Ray cluster: add --ray")
    if ray:
        check_ray()
    refiners = option_values.known_refiners(refiner)
    folder = check_writable(out)

    with lasting_imports():
        from feedseg.apps.cli.render_evaluate import evaluate as run
        from feedseg.apps.cli.render_evaluate import present_of
        from feedseg.evaluation.request import Request

    present = present_of(SUITE, data, limit) if suite else ()

    request = Request(
        benchmarks=(*present, *asked),
        data=data,
        model=model,
        options={
            "host": option_values.known_host(host),
            "proxy": proxy,
            "feedback": "paper",
            "device": device,
            "dtype": dtype,
            "class_token": class_token,
            "residual": residual,
        },
        protocol=protocol,
        changes=option_values.settings_changes(short_side, window, stride, logit_scale, second_view),
        speed=speed,
        threshold=threshold,
        vocabulary=vocabulary,
        limit=limit,
        workers=workers,
        out=folder,
        variants=variants,
        refiners=refiners,
        preset=preset,
        give_up_after=give_up_after,
        limits=option_values.file_limits(max_bytes, max_pixels, max_seconds),
    )
    cluster = Wanted(address, shards if shards > 1 else None, cpus, gpus) if ray else None
    raise typer.Exit(run(request, shards, part, cluster, complete=not suite or len(present) == len(SUITE)))


def chosen_variants(names: str) -> tuple[str, ...]:
    """What --feedback asks for, each once: without feedback first, the control last.

    Raises:
        FeedsegError: a name that is neither registered nor of one's own.
    """
    known = ["none", "paper", *(name for name in FEEDBACKS.names() if name != "paper"), AUTO, "control"]
    wanted = [name.strip() for name in names.split(",")]
    if wrong := [name for name in wanted if name not in known and ":" not in name]:
        raise FeedsegError(
            f"--feedback takes {', '.join(known)} or {options.OWN}, separated by commas, not {wrong[0]!r}"
        )
    *before, control = known
    order = (*before, *(name for name in wanted if name not in known), control)
    return tuple(name for name in dict.fromkeys(order) if name in wanted)
