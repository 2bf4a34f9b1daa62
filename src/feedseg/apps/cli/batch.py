"""`feedseg batch`: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import EXPERT, MODEL, OUTPUT, READING, SIZE, WORDS, WORK, flag, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.vision.feedback import AUTO
from feedseg.weights.catalog import DEFAULT_MODEL

EXAMPLES = """Examples:
  feedseg batch photos --out table --labels "car, road"
  feedseg batch 's3://bucket/shards/*.tar' --out s3://bucket/table --labels car
  feedseg batch photos --out table --labels car --address 10.0.0.5:6379

Exit code: 0 well, 1 some failed, 2 nothing started, 130/143 interrupted.
"""


def batch(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            show_default=False,
            help="Folders, files, 'patterns/**', addresses such as s3://bucket/photos; shards: .tar (WebDataset), "
            ".parquet.",
        ),
    ],
    out: Annotated[str, option(OUTPUT, "DESTINATION", "A folder or an address, for the table's parts.", "--out", "-o")],
    labels: options.Labels = None,
    background: options.Background = None,
    no_background: options.NoBackground = False,
    vocabulary: options.WordsFile = None,
    threshold: Annotated[
        float | None, option(WORDS, "P", "Less probable pixels become background.", "--threshold", "-t", hidden=True)
    ] = None,
    model: options.ModelName = DEFAULT_MODEL,
    host: options.Host = "proxyclip",
    proxy: options.Proxy = None,
    feedback: Annotated[
        str,
        option(
            MODEL,
            "NAME",
            f"auto: what suits the model; paper; calibrated; none; or {options.OWN}.",
            show_default=True,
            hidden=True,
        ),
    ] = AUTO,
    refiner: options.Refiner = None,
    preset: options.Preset = None,
    second_view: options.SecondView = None,
    device: options.Device = None,
    short_side: Annotated[
        int | None, option(SIZE, "N", "Resize the short side to N pixels.", min=1, hidden=True)
    ] = None,
    window: Annotated[
        str | None, option(SIZE, "N|none", "Cut windows of N pixels; none: the whole image at once.", hidden=True)
    ] = None,
    stride: Annotated[int | None, option(SIZE, "N", "Pixels from one window to the next.", min=1, hidden=True)] = None,
    speed: Annotated[
        str,
        option(
            SIZE,
            "NAME",
            "protocol: overlapping windows; fast: each part once; fastest: a coarser proxy too.",
            show_default=True,
            hidden=True,
        ),
    ] = "protocol",
    overwrite: Annotated[bool, flag(OUTPUT, "--overwrite", "Remove the table that is there, and begin again.")] = False,
    formats: Annotated[
        list[str] | None,
        option(OUTPUT, "NAME", "Beside the table files as of feedseg segment, in the folder.", "--format", "-f"),
    ] = None,
    part: Annotated[
        int, option(OUTPUT, "N", "Images in a part of the table.", min=1, max=1_000_000, show_default=True, hidden=True)
    ] = 1000,
    min_area: options.MinArea = "0",
    fill_holes: options.FillHoles = False,
    connected: options.Connected = False,
    address: options.Address = None,
    workers: Annotated[
        int | None, option(WORK, "N", "Workers, each with a model; else as many as fit.", min=1, max=100_000)
    ] = None,
    cpus: options.Cpus = None,
    gpus: options.Gpus = None,
    readers: Annotated[
        int,
        option(WORK, "N", "Threads of each that read ahead.", min=0, max=64, show_default=True, hidden=True),
    ] = 2,
    give_up_after: Annotated[
        float,
        option(
            WORK,
            "S",
            "End a worker that takes longer for an image.",
            "--give-up-after",
            min=0.01,
            show_default=True,
            hidden=True,
        ),
    ] = 3600.0,
    allow_urls: Annotated[
        bool, flag(READING, "--allow-urls", "Fetch images from http and https addresses.", hidden=True)
    ] = False,
    max_bytes: Annotated[str, option(READING, "N", "Refuse images with more bytes.", hidden=True)] = "1G",
    max_pixels: Annotated[str, option(READING, "N", "Refuse images with more pixels.", hidden=True)] = "120M",
    max_seconds: Annotated[
        float, option(READING, "S", "Give up an image that takes longer to decode.", min=0.01, hidden=True)
    ] = FileLimits.seconds,
    class_token: options.ClassToken = None,
    residual: options.Residual = None,
    dtype: options.Dtype = None,
    batch_size: Annotated[
        int | None, option(EXPERT, "N", "How many windows are computed together.", min=1, hidden=True)
    ] = None,
    help_all: options.HelpAll = False,
) -> None:
    """Segment very many images, on this computer or on a Ray cluster, into a table.

    The destination gets part-….parquet, a row an image: its key, size, classes
    with areas and confidence, run lengths, model and settings. A run that was
    ended, whatever ended it, goes on when the command is given again.
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable, choose_vocabulary
    from feedseg.engine.cluster_connection import check_ray
    from feedseg.io.cleaning import Regions
    from feedseg.io.output import Output
    from feedseg.io.remote import is_remote
    from feedseg.io.table import check_pyarrow

    check_ray()
    check_pyarrow()
    check_speed(speed, {"window": window, "stride": stride})
    words = choose_vocabulary(labels, background, no_background, vocabulary, threshold)
    contradicted = {
        "--feedback": feedback != AUTO,
        "--host": host != "proxyclip",
        "--refiner": bool(refiner),
        "--second-view": second_view is not None,
    }
    chosen = option_values.chosen_preset(preset, contradicted)
    refiners = option_values.known_refiners(refiner)
    if chosen is not None:
        host, feedback, refiners = chosen.host, chosen.feedback, chosen.refiners
        second_view = chosen.second_view
    changes = option_values.settings_changes(short_side, window, stride, second_view=second_view)
    regions = Regions(min_area, fill_holes, connected)
    output = Output.of(formats, regions=regions) if formats else Output((), regions=regions)
    if is_remote(out):
        if formats:
            raise FeedsegError("--format needs a folder as --out, which all computers see: at an address is the table")
    else:
        check_writable(out)
    limits = FileLimits(
        pixels=option_values.amount("--max-pixels", max_pixels),
        bytes=option_values.amount("--max-bytes", max_bytes),
        seconds=max_seconds,
    )

    with lasting_imports():
        from feedseg.apps.cli.run_batch import BatchRequest, find, run_batch
        from feedseg.engine.cluster import Wanted

    request = BatchRequest(
        words=words,
        output=output,
        refiners=refiners,
        model=model,
        loading={
            "host": option_values.known_host(host),
            "proxy": proxy,
            "feedback": option_values.known_feedback(feedback),
            "device": device,
            "dtype": dtype,
            "class_token": class_token,
            "residual": residual,
            "batch_size": batch_size,
        },
        changes=changes,
        speed=speed,
        out=out,
        overwrite=overwrite,
        rows=part,
        cluster=Wanted(address, workers, cpus, gpus),
        readers=readers,
        limits=limits,
        give_up_after=give_up_after,
    )
    found = find(source, allow_urls=allow_urls, limits=limits)
    raise typer.Exit(run_batch(request, found))
