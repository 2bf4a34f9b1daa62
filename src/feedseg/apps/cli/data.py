"""`feedseg data`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feedseg.apps.cli import option_values, options
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS
from feedseg.io.limits import FileLimits

data = typer.Typer(help="Check and prepare the data sets of the benchmarks.")

CHECK_EXAMPLES = """Examples:
  feedseg data check voc21 VOCdevkit/VOC2012
  feedseg data check my-data.toml

Exit code: 0 all is well, 1 there are problems, 2 nothing could be checked.
"""
PREPARE_EXAMPLES = """Examples:
  feedseg data prepare coco-stuff stuffthingmaps_trainval2017 coco_stuff164k
  feedseg data prepare context trainval_merged.json VOCdevkit/VOC2010

Exit code: 0 all is well, 1 some masks failed, 2 nothing could be started.
"""


@data.command(epilog=CHECK_EXAMPLES)
def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=f"{', '.join(BENCHMARKS[:-1])}, or the TOML file of your own data.")
    ],
    root: Annotated[
        Path | None,
        typer.Argument(metavar="ROOT", help="The folder with the data; beside your own TOML file if left out."),
    ] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Decode every image and mask, not only headers and some masks.")
    ] = False,
    max_bytes: options.MaxBytes = options.MAX_BYTES,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_seconds: options.MaxSeconds = FileLimits.seconds,
) -> None:
    """Examine a data set before a model is loaded: files, sizes, counts, and the values in the masks."""
    from feedseg.apps.cli.render_data import check_data

    raise typer.Exit(
        check_data(name, root, option_values.file_limits(max_bytes, max_pixels, max_seconds), thorough=thorough)
    )


@data.command(epilog=PREPARE_EXAMPLES)
def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="coco-stuff, coco-object, cityscapes or context.")],
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="The folder of the downloaded masks, or trainval_merged.json.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The benchmark's root; the masks are put below it.")],
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes; all processors unless you choose.", min=1)
    ] = None,
    max_bytes: options.MaxBytes = options.MAX_BYTES,
    max_pixels: options.MaxPixels = options.MAX_PIXELS,
    max_seconds: options.MaxSeconds = FileLimits.seconds,
) -> None:
    """Make the masks that the evaluations use from the downloaded ones.

    The originals are only read. Masks that are there already are left as they
    are, so an interrupted run goes on where it stopped.
    """
    if not source.exists():
        raise FeedsegError(f"{source} does not exist")

    from feedseg.apps.cli.render_data import prepare_data

    limits = option_values.file_limits(max_bytes, max_pixels, max_seconds)
    raise typer.Exit(prepare_data(name, source, out, workers, limits))
