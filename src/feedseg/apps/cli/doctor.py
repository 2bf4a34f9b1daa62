"""`feedseg doctor`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feedseg.errors import FeedsegError


def doctor(
    vectors: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Compare with the reference vectors in this folder instead.")
    ] = None,
) -> None:
    """Check the installation: versions, devices, caches, and a small computation with known results.

    Exits with 1 if a result is too far from what it should be.
    """
    if vectors is not None and not vectors.is_dir():
        raise FeedsegError(f"there is no folder {vectors}")

    from feedseg.apps.cli.render_doctor import compare_with, examine

    raise typer.Exit(examine() if vectors is None else compare_with(vectors))
