"""Loading a segmenter as the options say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feedseg.apps.cli.console import status
from feedseg.errors import FeedsegError, InvalidValueError
from feedseg.segmenter import Segmenter


def load_segmenter(
    model: str,
    options: Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    speed: str = "protocol",
    *,
    visible: bool = True,
) -> Segmenter:
    """The segmenter with a host's own settings and, on top of them, what the user wants otherwise.

    Args:
        model: see `Segmenter.load`, as are the options.
        options: of `Segmenter.load`.
        changes: of its settings, by field.
        speed: see `at_speed`.
        visible: whether a terminal is told meanwhile.

    Raises:
        FeedsegError: the model cannot be loaded, or the settings do not go together.
    """
    from feedseg.loading import at_speed

    with status(f"loading {model}", visible=visible):
        segmenter = Segmenter.load(model, **options)
    try:
        settings = segmenter.settings.changed(changes or {})
    except InvalidValueError as error:
        given = ", ".join(f"--{name.replace('_', '-')}" for name in changes or {})
        raise FeedsegError(f"{given}: {error}") from error
    return at_speed(replace(segmenter, settings=settings), speed)
