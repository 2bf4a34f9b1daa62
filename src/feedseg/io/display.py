"""Results on a screen: in a notebook, and in a window."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from feedseg.errors import FeedsegError
from feedseg.io.legend import percent
from feedseg.io.overlay import Looks
from feedseg.io.patterns import swatch

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

_LONGEST = 640  # pixels of the image's long side; what a notebook keeps with the cell should be small
_QUALITY = 80  # of its JPEG
_SWATCH = 14  # pixels
_MISSING = 40  # classes that were not found and are named


def as_png(result: Segmentation) -> bytes:
    """The overlay with its legend as a small PNG of 256 colours."""
    return _bytes(result.overlay(longest=_LONGEST).quantize(256, dither=Image.Dither.NONE), "PNG", optimize=True)


def as_html(result: Segmentation) -> str:
    """The overlay, and a legend with areas and confidence, as HTML that needs nothing else.

    Letters take the page's colour, so that they can be read on light and on dark.
    """
    source = f"{result.source}: " if result.source else ""
    title = escape(f"{source}{', '.join(result.names)}", quote=True)
    picture = _uri(_bytes(result.overlay(legend=False, longest=_LONGEST), "JPEG", quality=_QUALITY), "jpeg")
    missing = [name for name, pixels in result.pixels.items() if not pixels]
    note = ", ".join(missing[:_MISSING]) + (f" and {len(missing) - _MISSING} more" if len(missing) > _MISSING else "")
    cell = "padding:1px 10px 1px 0;border:0;background:transparent;color:inherit;text-align:"
    rows = "".join(
        f'<tr style="background:transparent;color:inherit"><td style="{cell}left">{icon}&nbsp; {escape(name)}</td>'
        f'<td style="{cell}right">{area}</td><td style="{cell}right;opacity:.65">{sure}</td></tr>'
        for icon, name, area, sure in _rows(result)
    )
    return (
        f'<div style="max-width:{_LONGEST}px;color:inherit">'
        f'<img src="{picture}" alt="{title}" title="{title}" style="max-width:100%;height:auto">'
        '<table style="color:inherit;border-collapse:collapse;border:0;margin:6px 0;font-size:13px">'
        f'<tr style="background:transparent;color:inherit;opacity:.65"><td style="{cell}left">class</td>'
        f'<td style="{cell}right">area</td><td style="{cell}right">confidence</td></tr>{rows}</table>'
        + (f'<div style="font-size:13px;opacity:.65">not found: {escape(note)}</div>' if note else "")
        + "</div>"
    )


def show(result: Segmentation) -> None:
    """Show a result in the notebook that this runs in, or else its overlay in the system's image viewer.

    Raises:
        FeedsegError: there is neither.
    """
    from PIL import ImageShow  # which imports IPython where that is installed

    if _in_notebook():
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        display(result)
    elif _is_headless() or not ImageShow.show(result.overlay(), title=result.source):
        raise FeedsegError("there is no program here that shows images: write the overlay with result.save(folder)")


def _in_notebook() -> bool:
    """Whether this runs in IPython with a front end that shows rich results."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _is_headless() -> bool:
    """Whether this is a system whose screens are told by the environment, and there is none."""
    return sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _rows(result: Segmentation) -> Iterator[tuple[str, str, str, str]]:
    """Of every class that occurs, the largest first: its swatch, its name, its area and its confidence."""
    looks = Looks.of(np.array([*result.pixels.values()]), result.palette, result.background)
    for index in looks.order:
        one = result[result.names[index]]
        icon = _uri(_bytes(swatch(one.colour, looks.patterns[index], _SWATCH), "PNG", optimize=True), "png")
        image = f'<img src="{icon}" alt="" style="display:inline;margin:0;vertical-align:-2px;border-radius:3px">'
        yield image, one.name, percent(one.area_fraction), f"{one.confidence or 0:.0%}"


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
