"""Options and their meaning that `feedseg evaluate` and `feedseg sweep` share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from feedseg.apps.cli.options import EXPERT, MODEL, flag, option
from feedseg.errors import FeedsegError
from feedseg.settings import HOST_SETTINGS
from feedseg.weights.catalog import DEFAULT_PROXY

DATA, PROTOCOL, WORK = "Data", "Instead of the protocol's", "How the work is shared and resumed"

DataRoot = Annotated[
    Path | None,
    option(DATA, "ROOT", "The folder that holds the data, or the one above it. `scenes` needs none.", "--data"),
]
Limit = Annotated[int | None, option(DATA, "N", "Only the first N pictures of every benchmark.", "--limit", min=1)]
ModelName = Annotated[
    str, option(MODEL, "NAME", "A listed name, owner/name on the hub, or a folder.", "--model", "-m", show_default=True)
]
Host = Annotated[
    str, option(MODEL, "NAME", f"How patches attend to each other: {', '.join(HOST_SETTINGS)}.", show_default=True)
]
Proxy = Annotated[
    str | None, option(MODEL, "NAME", f"The encoder that guides proxyclip; beside a CLIP it is {DEFAULT_PROXY}.")
]
Device = Annotated[str | None, option(MODEL, "NAME", "cpu, cuda, cuda:1, mps; the best there is.")]
Dtype = Annotated[str | None, option(MODEL, "TYPE", "fp32, fp16 or bf16.")]
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
ShortSide = Annotated[int | None, option(PROTOCOL, "N", "Resize the short side to N pixels.", min=1)]
WindowSide = Annotated[str | None, option(PROTOCOL, "N|none", "Windows of N pixels; none: the whole picture.")]
Stride = Annotated[int | None, option(PROTOCOL, "N", "Pixels from one window to the next.", min=1)]
Speed = Annotated[
    str,
    option(
        PROTOCOL,
        "NAME",
        "protocol: its overlapping windows; fast: each part of the picture once.",
        "--speed",
        show_default=True,
    ),
]
LogitScale = Annotated[float | None, option(PROTOCOL, "X", "Cosines times this before the softmax.")]
Threshold = Annotated[float | None, option(PROTOCOL, "P", "Less probable pixels become background.")]
Words = Annotated[
    Path | None, option(PROTOCOL, "FILE", "Other words for the classes, in their order.", "--vocabulary", "-v")
]
Workers = Annotated[int, option(WORK, "N", "Threads that read pictures and masks ahead.", min=1, show_default=True)]
Shards = Annotated[
    int, option(WORK, "N", "Processes on this machine; on CUDA each on a device.", min=1, show_default=True)
]
ClassToken = Annotated[
    bool | None, flag(EXPERT, "--class-token/--no-class-token", "Let patches attend to the class token, or not.")
]
Residual = Annotated[
    bool | None,
    flag(EXPERT, "--residual/--no-residual", "Keep the last block's residual and feed-forward, or not."),
]


def parse_share(text: str | None) -> tuple[int, int] | None:
    """ "2/8" as (2, 8)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise FeedsegError(f"--shard is a share such as 2/8, the second of eight, not {text!r}")
    return int(match[1]), int(match[2])


def loading_options(
    host: str, proxy: str | None, device: str | None, dtype: str | None, class_token: bool | None, residual: bool | None
) -> dict[str, Any]:
    """What `Segmenter.load` is told, with feedback, whose constants are needed in any case."""
    return {
        "host": host,
        "proxy": proxy,
        "feedback": "paper",
        "device": device,
        "dtype": dtype,
        "class_token": class_token,
        "residual": residual,
    }


def changes_of(
    short_side: int | None, window: str | None, stride: int | None, logit_scale: float | None
) -> dict[str, Any]:
    """What is to be otherwise than in the protocol."""
    given = {"short_side": short_side, "stride": stride, "logit_scale": logit_scale}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if window is not None:
        if window.lower() != "none" and not (window.isdecimal() and int(window) > 0):
            raise FeedsegError(f"--window is a number of pixels or none, not {window!r}")
        changes["window"] = None if window.lower() == "none" else int(window)
    return changes
