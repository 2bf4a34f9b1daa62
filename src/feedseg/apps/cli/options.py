"""Options that several commands share: their panels in --help, their texts, and how their values are checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from feedseg.decode.refiners import REFINERS
from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError
from feedseg.io.formats import format_names
from feedseg.io.limits import FileLimits
from feedseg.presets import PRESETS, known_preset
from feedseg.presets import Preset as ChosenPreset
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
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


def file_limits(max_bytes: str, max_pixels: str, max_seconds: float) -> FileLimits:
    """The limits of a file. Raises FeedsegError where an option says no number."""
    return FileLimits(
        pixels=amount("--max-pixels", max_pixels), bytes=amount("--max-bytes", max_bytes), seconds=max_seconds
    )


def amount(name: str, text: str) -> int:
    """A number of bytes or pixels, which may be written with k, M or G.

    Raises:
        FeedsegError: it says something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", text.strip().lower())
    number = int(float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}[match[2]]) if match else 0
    if number < 1:
        raise FeedsegError(f"{name} is a number such as 50M, not {text!r}")
    return number


def chosen_shard(shard: str | None, shards: int) -> Shard | None:
    """The part of the work that --shard asks for.

    Raises:
        FeedsegError: it is no part, or --shards divides the work as well.
    """
    part = None if shard is None else Shard.parse(shard)
    if part is not None and shards > 1:
        raise FeedsegError("--shard is one shard of the work, and --shards divides all of it: give one of them")
    return part


def window_side(text: str) -> int | None:
    """What --window says: pixels, or None for the whole image.

    Raises:
        FeedsegError: it says neither.
    """
    if text.lower() == "none":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise FeedsegError(f"--window is a number of pixels or none, not {text!r}")
    return int(text)


def settings_changes(
    short_side: int | None, window: str | None, stride: int | None, logit_scale: float | None = None
) -> dict[str, Any]:
    """The settings that the user wants otherwise, by their field."""
    given = {"short_side": short_side, "stride": stride, "logit_scale": logit_scale}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return changes if window is None else changes | {"window": window_side(window)}


def check_no_input(out: Path, picture: str) -> None:
    """Raises FeedsegError where an output is the file that is read."""
    if out.exists() and os.path.exists(picture) and out.samefile(picture):  # noqa: PTH110 -- Path's fails for some texts
        raise FeedsegError(f"--out {out} is the image itself: give another file")


def known_host(host: str) -> str:
    """The host, if it is registered or of one's own.

    Raises:
        FeedsegError: there is none of that name.
    """
    if ":" not in host and host not in HOSTS.names():
        raise FeedsegError(HOSTS.unknown(host))
    return host


def known_feedback(feedback: str) -> str:
    """The feedback, if it is registered, auto, none or of one's own.

    Raises:
        FeedsegError: there is none of that name.
    """
    if ":" not in feedback and feedback not in (AUTO, NO_FEEDBACK, *FEEDBACKS.names()):
        raise FeedsegError(f"{FEEDBACKS.unknown(feedback)}, {AUTO} or {NO_FEEDBACK}")
    return feedback


def chosen_preset(name: str | None, given: Mapping[str, bool]) -> ChosenPreset | None:
    """The preset of a name, if one is asked for.

    Args:
        name: what --preset says.
        given: options that say what the preset says, and whether they say something else.

    Raises:
        FeedsegError: there is none of that name, or an option contradicts it.
    """
    if name is None:
        return None
    if others := [option for option, otherwise in given.items() if otherwise]:
        raise FeedsegError(f"--preset {name} says this itself: leave out {' and '.join(others)}")
    return known_preset(name)


def known_refiners(refiners: Sequence[str] | None) -> tuple[str, ...]:
    """The refiners, if all are registered or of one's own.

    Raises:
        FeedsegError: there is none of that name.
    """
    for name in refiners or ():
        if ":" not in name and name not in REFINERS.names():
            raise FeedsegError(REFINERS.unknown(name))
    return tuple(refiners or ())
