"""`feedseg segment`: its options."""

from __future__ import annotations

from typing import Annotated

import typer

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import EXPERT, MODEL, OUTPUT, RASTER, READING, SIZE, VIDEO, WORDS, WORK, flag, option
from feedseg.collector import lasting_imports
from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.io.sources.base import MAX_BYTES
from feedseg.vision.feedback import AUTO
from feedseg.weights.catalog import DEFAULT_MODEL

EXAMPLES = """Examples:
  feedseg segment cat.jpg --labels cat
  feedseg segment photos --labels "car, road" --background "sky, trees"
  feedseg segment 'photos/**/*.jpg' --vocabulary words.txt --model vit-l-14
  feedseg segment photos --labels "cat, dog" --format coco --connected

Exit code: 0 well, 1 some failed, 2 nothing started, 130/143 interrupted.
"""


def segment(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES_OR_FOLDERS",
            show_default=False,
            help="Files, folders, 'patterns/**', -",
        ),
    ],
    labels: options.Labels = None,
    background: options.Background = None,
    no_background: options.NoBackground = False,
    vocabulary: options.WordsFile = None,
    threshold: Annotated[
        float | None,
        option(
            WORDS,
            "P",
            "Pixels whose best class is less probable than this (0 to below 1) become background.",
            "--threshold",
            "-t",
            hidden=True,
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
            "published; calibrated: with scales taken from each image; none: not at all; calibrated:2 for two passes, "
            f"calibrated:settled for as many as change a label; or {options.OWN}.",
            show_default=True,
            hidden=True,
        ),
    ] = AUTO,
    refiner: options.Refiner = None,
    preset: options.Preset = None,
    second_view: options.SecondView = None,
    device: options.Device = None,
    short_side: Annotated[
        int | None,
        option(SIZE, "N", "Resize the short side to N pixels; more is finer and slower.", min=1, hidden=True),
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
            "protocol: overlapping windows as the host's paper has them; fast: each part of the image once; "
            "fastest: a coarser proxy too.",
            show_default=True,
            hidden=True,
        ),
    ] = "protocol",
    out: Annotated[
        str | None,
        option(OUTPUT, "DIR", "For the results; else feedseg-out, or -2, -3.", "--out", "-o"),
    ] = None,
    overwrite: Annotated[bool, flag(OUTPUT, "--overwrite", "Make again what is there already.")] = False,
    formats: Annotated[
        list[str] | None,
        option(OUTPUT, "NAME", "coco, yolo or another: feedseg convert -h.", "--format", "-f"),
    ] = None,
    min_area: options.MinArea = "0",
    fill_holes: options.FillHoles = False,
    connected: options.Connected = False,
    only_with: options.OnlyWith = None,
    only_without: options.OnlyWithout = None,
    colours: Annotated[
        str | None,
        option(
            OUTPUT,
            "WORDS|FILE",
            'Colours for classes, "dog=#ff0000, sky=skyblue", or a file with a line each.',
            "--colours",
            hidden=True,
        ),
    ] = None,
    every: Annotated[
        int,
        option(VIDEO, "N", "Segment every N-th frame of a video; labels are held.", "--every", min=1, hidden=True),
    ] = 1,
    steady: Annotated[
        float | None,
        option(
            VIDEO,
            "ALPHA",
            "Average the scores over a video's frames: ALPHA of the new frame (0 to 1; 0.4 is a good start), the rest "
            "of those before.",
            "--steady",
            hidden=True,
        ),
    ] = None,
    pngs: Annotated[
        bool,
        flag(VIDEO, "--pngs", "Save a video's labels as a ZIP file of numbered PNGs, too.", hidden=True),
    ] = False,
    raster: Annotated[
        bool | None,
        flag(
            RASTER,
            "--raster/--no-raster",
            "Take every TIFF as a raster, a band of rows at a time, or none; else those that are georeferenced or too "
            "large for an image.",
            hidden=True,
        ),
    ] = None,
    bands: Annotated[
        str | None,
        option(RASTER, "R,G,B|N", "Bands for red, green and blue, from 1; or one for grey.", "--bands", hidden=True),
    ] = None,
    stretch: Annotated[
        str | None,
        option(
            RASTER,
            "LOW,HIGH",
            "Which values are black and white; ranks as 2%,98%, the default of all but 8 bits.",
            "--stretch",
            hidden=True,
        ),
    ] = None,
    scale: Annotated[
        float, option(RASTER, "X", "Resize the raster by X before it is segmented.", "--scale", hidden=True)
    ] = 1.0,
    as_json: Annotated[bool, flag(OUTPUT, "--json", "A line of JSON for every image to stdout.")] = False,
    allow_urls: Annotated[
        bool, flag(READING, "--allow-urls", "Fetch images from http and https addresses.", hidden=True)
    ] = False,
    max_bytes: Annotated[
        str | None,
        option(
            READING, "N", "Refuse images with more bytes; else 1G in a file, 50M from an address or stdin.", hidden=True
        ),
    ] = None,
    max_pixels: Annotated[
        str, option(READING, "N", "Refuse images with more pixels.", show_default=True, hidden=True)
    ] = "120M",
    max_seconds: Annotated[
        float,
        option(READING, "S", "Give up an image that takes longer to decode.", min=0.01, show_default=True, hidden=True),
    ] = FileLimits.seconds,
    workers: Annotated[
        int,
        option(
            WORK, "N", "Threads that read and write beside the model.", min=1, max=64, show_default=True, hidden=True
        ),
    ] = 2,
    shards: Annotated[
        int,
        option(WORK, "N", "Processes; on CUDA each on a device.", min=1, max=256, show_default=True, hidden=True),
    ] = 1,
    give_up_after: options.GiveUp = 3600.0,
    shard: Annotated[
        str | None,
        option(WORK, "K/N", "Only the K-th of N parts, for several machines with one --out.", hidden=True),
    ] = None,
    class_token: options.ClassToken = None,
    residual: options.Residual = None,
    dtype: options.Dtype = None,
    batch_size: Annotated[
        int | None, option(EXPERT, "N", "How many windows are computed together.", min=1, hidden=True)
    ] = None,
    help_all: options.HelpAll = False,
) -> None:
    """Give every pixel of your images one of your own words.

    For every image b.jpg the folder of the results gets
      b.labels.png   the class of every pixel: an indexed PNG with a palette
      b.overlay.jpg  the image in its classes' colours, with a legend
      b.labels.json  names, areas, confidence, models and their revisions
    or what --format says. Given again, it makes only what is not current.
    """
    from feedseg.apps.cli.inputs import check_speed, check_writable, choose_colours, choose_vocabulary
    from feedseg.io.cleaning import Regions
    from feedseg.io.output import Output
    from feedseg.vocabulary import BACKGROUND

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
    output = Output.of(
        formats,
        regions=Regions(min_area, fill_holes, connected),
        only_with=only_with or (),
        only_without=only_without or (),
        colours=choose_colours(colours, tuple(dict.fromkeys((BACKGROUND, *words.names)))),
    )
    output.check_classes((BACKGROUND, *words.names))
    part = option_values.chosen_shard(shard, shards)
    if part is not None and out is None:
        raise FeedsegError("--shard needs --out: the folder that all shards write into")
    if steady is not None and not 0 < steady <= 1:
        raise FeedsegError(f"--steady is above 0 and at most 1, not {steady:g}: 0.4 is a good start")
    folder = None if out is None else check_writable(out)

    limits = FileLimits(
        pixels=option_values.amount("--max-pixels", max_pixels),
        bytes=FileLimits.bytes if max_bytes is None else option_values.amount("--max-bytes", max_bytes),
        seconds=max_seconds,
    )
    with lasting_imports():
        from feedseg.apps.cli.run_segment import SegmentRequest, find, segment_files
    from feedseg.engine.video import VideoOptions
    from feedseg.io.raster.options import RasterOptions, Stretch, parse_bands

    whole = {"--short-side": short_side is not None, "--window none": changes.get("window", 0) is None}
    request = SegmentRequest(
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
        out=folder,
        overwrite=overwrite,
        workers=workers,
        shards=shards,
        shard=part,
        limits=limits,
        videos=VideoOptions(every, steady, pngs),
        rasters=RasterOptions(
            () if bands is None else parse_bands(bands),
            None if stretch is None else Stretch.parse(stretch),
            scale,
            refused=tuple(name for name, given in whole.items() if given),
        ),
        as_json=as_json,
        give_up_after=give_up_after,
    )
    findings = find(
        images,
        allow_urls=allow_urls,
        max_bytes=MAX_BYTES if max_bytes is None else limits.bytes,
        max_pixels=limits.pixels,
        rasters=raster,
    )
    raise typer.Exit(segment_files(request, findings))
