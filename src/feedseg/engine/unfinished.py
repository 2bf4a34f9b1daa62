"""Folders of what is finished of one large input, so that a run that was ended goes on behind it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from feedseg.files import remove_temporaries, write_atomically
from feedseg.io.sources.base import STATE


def claim(folder: Path, kind: str, name: str, of: Mapping[str, Any]) -> Path:
    """The folder for the parts of one input, with those that are there already, where they are of the same.

    Args:
        folder: of the results.
        kind: "videos" or "rasters".
        name: what tells the input from others.
        of: all that the parts depend on, as JSON; others' are removed.
    """
    own = folder / STATE / kind / sha256(name.encode(errors="surrogateescape")).hexdigest()[:16]
    whose = own / "of.json"
    said = json.dumps(dict(of), sort_keys=True)
    if not whose.is_file() or whose.read_bytes() != said.encode():  # bytes: damaged, they may be no text
        release(own)
        with write_atomically(whose) as temporary:
            temporary.write_bytes(said.encode())
    remove_temporaries(own)
    return own


def release(own: Path) -> None:
    """Remove all of it, and the folder above once it is empty."""
    shutil.rmtree(own, ignore_errors=True)
    with suppress(OSError):  # parts of others, or not there
        own.parent.rmdir()
