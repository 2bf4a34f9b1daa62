"""Options that several commands share: their panels in --help, and their texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from feedseg.decode.refiners import REFINERS
from feedseg.io.formats import format_names
from feedseg.presets import PRESETS
from feedseg.vision.hosts import HOSTS
from feedseg.weights.catalog import DEFAULT_PROXY

WORDS, MODEL, SIZE, OUTPUT = "What to look for", "Model", "Image size (each host has its own)", "Output"
EXPERT = "For experiments (left out: as published, and what suits the device)"
DATA, PROTOCOL, WORK = "Data", "Instead of the protocol's", "How the work is divided and resumed"
READING = "Reading"
VIDEO, RASTER = "Videos", "Georeferenced rasters"
OWN = "package.module:Name"  # how something of one's own is given


def option(panel: str, metavar: str, text: str, *names: str, **more: Any) -> Any:
    """An option with a value; called like the parameter unless it has `names`."""
    return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=panel, **{"show_default": False, **more})


def flag(panel: str, names: str, text: str, **more: Any) -> Any:
    """An option without a value."""
    return typer.Option(names, metavar="", help=text, rich_help_panel=panel, show_default=False, **more)


def _show_all(context: typer.Context, wanted: bool) -> None:
    """Print the help with the options that are hidden in the short one, and leave."""
    if wanted:
        for parameter in context.command.params:
            setattr(parameter, "hidden", False)  # noqa: B010 -- arguments have none
        print(context.get_help())
        raise typer.Exit


HelpAll = Annotated[
    bool,
    typer.Option(
        "--help-all", callback=_show_all, is_eager=True, metavar="", show_default=False, help="Show every option."
    ),
]


Labels = Annotated[str | None, option(WORDS, "WORDS", 'As in "cat; kitten, sofa, rug" (; synonym).', "--labels", "-l")]
Background = Annotated[
    str | None, option(WORDS, "WORDS", "Words for the background; else a stock list.", "--background", "-b")
]
NoBackground = Annotated[bool, flag(WORDS, "--no-background", "Every pixel is one of the words.")]
WordsFile = Annotated[Path | None, option(WORDS, "FILE", "The words in a file, a class a line.", "--vocabulary", "-v")]
ModelName = Annotated[
    str,
    option(
        MODEL,
        "NAME",
        "What `feedseg models` lists, owner/name, a folder.",
        "--model",
        "-m",
        show_default=True,
    ),
]
Host = Annotated[
    str,
    option(
        MODEL,
        "NAME",
        f"How patches attend to each other: {', '.join(HOSTS.names())}, or {OWN}.",
        "--host",
        show_default=True,
        hidden=True,
    ),
]
Proxy = Annotated[
    str | None,
    option(
        MODEL,
        "NAME",
        "The encoder that guides proxyclip and corrclip: a listed name, owner/name on the hub, a folder, self for the "
        f"model, or {OWN}. Beside a CLIP it is {DEFAULT_PROXY} unless you choose.",
        "--proxy",
        hidden=True,
    ),
]
Device = Annotated[
    str | None,
    option(MODEL, "NAME", "cpu, cuda, cuda:1, mps; the best there is unless you choose.", "--device", hidden=True),
]
Refiner = Annotated[
    list[str] | None,
    option(
        MODEL,
        "NAME",
        f"Refine the scores: {', '.join((*REFINERS.names(), OWN))}; region-vote:MODEL votes with the masks of a SAM or "
        "SAM 2; may be repeated, applied in order.",
        "--refiner",
        hidden=True,
    ),
]
Preset = Annotated[
    str | None,
    option(
        MODEL,
        "NAME",
        f"Host, feedback and refiners that are worth most together: {', '.join(PRESETS)}.",
        "--preset",
        hidden=True,
    ),
]
SecondView = Annotated[
    float | None,
    option(
        MODEL,
        "SHARE",
        "Look at every window once more, mirrored and this much smaller (0.75), and average.",
        "--second-view",
        hidden=True,
    ),
]
# What `segment` and `convert` share.
Formats = Annotated[
    list[str] | None,
    option(
        OUTPUT,
        "NAME",
        f"A format of the results: {', '.join((*format_names(), OWN))}; may be repeated. "
        "Without it labels, overlay and json.",
        "--format",
        "-f",
    ),
]
MinArea = Annotated[
    str,
    option(
        OUTPUT,
        "N|P%",
        "Smaller regions (pixels, or part of the image) take the class around them.",
        "--min-area",
        hidden=True,
    ),
]
FillHoles = Annotated[bool, flag(OUTPUT, "--fill-holes", "Holes take the class around them.", hidden=True)]
Connected = Annotated[
    bool,
    flag(
        OUTPUT,
        "--connected",
        "Each connected region is an object of its own in lists of objects.",
        hidden=True,
    ),
]
OnlyWith = Annotated[
    list[str] | None,
    option(
        OUTPUT,
        "CLASS",
        "Keep only results with this class; repeated: with any.",
        "--only-with",
        hidden=True,
    ),
]
OnlyWithout = Annotated[
    list[str] | None,
    option(OUTPUT, "CLASS", "Keep only results without it; may be repeated.", "--only-without", hidden=True),
]
Dtype = Annotated[str | None, option(EXPERT, "TYPE", "fp32, fp16 or bf16.", "--dtype", hidden=True)]
ClassToken = Annotated[
    bool | None,
    flag(EXPERT, "--class-token/--no-class-token", "Let patches attend to the class token, or not.", hidden=True),
]
Residual = Annotated[
    bool | None,
    flag(EXPERT, "--residual/--no-residual", "Keep the last block's residual and feed-forward, or not.", hidden=True),
]

# What `evaluate` and `sweep` share.
DataRoot = Annotated[
    Path | None,
    option(DATA, "ROOT", "The folder that holds the data, or the one above it. `scenes` needs none.", "--data"),
]
Limit = Annotated[int | None, option(DATA, "N", "Only the first N images of every benchmark.", "--limit", min=1)]
ProtocolName = Annotated[
    str,
    option(
        PROTOCOL,
        "NAME|FILE",
        "fsa, host (that of the host's paper), one by its name, or a TOML file.",
        "--protocol",
        show_default=True,
    ),
]
ShortSide = Annotated[
    int | None, option(PROTOCOL, "N", "Resize the short side to N pixels.", "--short-side", min=1, hidden=True)
]
WindowSide = Annotated[
    str | None,
    option(PROTOCOL, "N|none", "Windows of N pixels; none: the whole image.", "--window", hidden=True),
]
Stride = Annotated[
    int | None, option(PROTOCOL, "N", "Pixels from one window to the next.", "--stride", min=1, hidden=True)
]
Speed = Annotated[
    str,
    option(
        PROTOCOL,
        "NAME",
        "protocol: its overlapping windows; fast: each part once; fastest: a coarser proxy too.",
        "--speed",
        show_default=True,
        hidden=True,
    ),
]
LogitScale = Annotated[
    float | None, option(PROTOCOL, "X", "Cosines times this before the softmax.", "--logit-scale", hidden=True)
]
Threshold = Annotated[
    float | None, option(PROTOCOL, "P", "Less probable pixels become background.", "--threshold", hidden=True)
]
Words = Annotated[
    Path | None,
    option(
        PROTOCOL,
        "FILE",
        "Other words for the classes, in their order.",
        "--vocabulary",
        "-v",
        hidden=True,
    ),
]
Workers = Annotated[
    int,
    option(WORK, "N", "Threads that read images and masks ahead.", "--workers", min=1, show_default=True, hidden=True),
]
Shards = Annotated[
    int,
    option(
        WORK,
        "N",
        "Processes on this machine; on CUDA each on a device.",
        "--shards",
        min=1,
        show_default=True,
        hidden=True,
    ),
]

GiveUp = Annotated[
    float,
    option(
        WORK,
        "S",
        "With --shards: end a process that takes longer for an image, and report that.",
        "--give-up-after",
        min=0.01,
        show_default=True,
        hidden=True,
    ),
]

# Ray's, of `batch` and `evaluate`.
Address = Annotated[
    str | None,
    option(WORK, "HOST:PORT", "The Ray cluster to join, or auto; else this computer alone.", "--address", hidden=True),
]
Cpus = Annotated[
    float | None,
    option(WORK, "X", "Processors of each worker; 2, or 1 beside a GPU.", "--cpus", min=0.01, max=4096, hidden=True),
]
Gpus = Annotated[
    float | None,
    option(
        WORK,
        "X",
        "GPUs of each worker; 1 where there are some. With 0.5 two share one.",
        "--gpus",
        min=0,
        max=64,
        hidden=True,
    ),
]


MaxBytes = Annotated[
    str, option(READING, "N", "Refuse files with more bytes.", "--max-bytes", show_default=True, hidden=True)
]
MaxPixels = Annotated[
    str, option(READING, "N", "Refuse images with more pixels.", "--max-pixels", show_default=True, hidden=True)
]
MaxSeconds = Annotated[
    float,
    option(
        READING,
        "S",
        "Give up a file that takes longer to decode.",
        "--max-seconds",
        min=0.01,
        show_default=True,
        hidden=True,
    ),
]
MAX_BYTES, MAX_PIXELS = "1G", "120M"  # as `FileLimits` has them
