"""What the values of options that several commands share mean, and the lines for those that mean nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feedseg.decode.refiners import REFINERS
from feedseg.engine.shards import Shard
from feedseg.errors import FeedsegError
from feedseg.io.limits import FileLimits
from feedseg.presets import Preset, known_preset
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.vision.hosts import HOSTS


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
    short_side: int | None,
    window: str | None,
    stride: int | None,
    logit_scale: float | None = None,
    second_view: float | None = None,
) -> dict[str, Any]:
    """The settings that the user wants otherwise, by their field."""
    given = {"short_side": short_side, "stride": stride, "logit_scale": logit_scale, "second_view": second_view}
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


def chosen_preset(name: str | None, given: Mapping[str, bool]) -> Preset | None:
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
