"""The photographs that the page offers to begin with: bundled, with words for what is on them."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import as_file, files
from io import BytesIO
from pathlib import Path

from PIL import Image

from feedseg.evaluation.photographs import FOLDER, PHOTOGRAPHS, Photograph

_WIDTH = 240  # pixels of a small image


def buttons() -> str:
    """A button for each, as HTML."""
    return '<div class="fs-examples">' + "".join(map(_button, range(len(PHOTOGRAPHS)), PHOTOGRAPHS)) + "</div>"


def copied(photograph: Photograph, folder: Path) -> Path:
    """Its file in a folder that the page may read from, made where it is not there yet."""
    path = folder / f"{photograph.name}.jpg"
    if not path.exists():
        path.write_bytes((files("feedseg") / FOLDER / path.name).read_bytes())
    return path


def _button(index: int, photograph: Photograph) -> str:
    words = escape(", ".join(photograph.words), quote=True)
    with as_file(files("feedseg") / FOLDER / f"{photograph.name}.jpg") as path, Image.open(path) as image:
        small = image.convert("RGB")
        small.thumbnail((_WIDTH, _WIDTH))
        buffer = BytesIO()
        small.save(buffer, "JPEG", quality=80)
    source = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return (
        f'<button type="button" data-index="{index}" title="{words}" aria-label="Example: {words}">'
        f'<img src="{source}" alt=""><span>{escape(photograph.name)}</span></button>'
    )
