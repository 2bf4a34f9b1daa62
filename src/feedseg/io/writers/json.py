"""All of a result but its arrays, as JSON: names, areas, confidence, models and settings.

The keys are a format that other programs read; they stay as they are when the code calls something otherwise.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation


class JsonWriter(Writer):
    """An object with an entry for every class, UTF-8, indented."""

    name = "json"
    suffix = ".labels.json"
    description = "names, areas, confidence, models and their revisions"

    def encode(self, result: Segmentation) -> bytes:
        """See `Writer.encode`. Raises TypeError or ValueError if a setting cannot be written as JSON."""
        text = json.dumps(as_dict(result), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
        # File names that are not UTF-8 hold lone surrogates, which JSON can have escaped only.
        return text.encode(errors="backslashreplace")


WRITER = JsonWriter()


def as_dict(result: Segmentation) -> dict[str, Any]:
    """What the file says of a result."""
    width, height = result.size
    fractions = result.area_fractions
    words = result.synonyms or [(name,) for name in result.names]
    colours = result.palette.tolist()
    return {
        "picture": result.source,
        "size": {"width": width, "height": height},
        "names": list(result.names),
        "classes": [
            {
                "index": index,
                "name": name,
                "words": list(words[index]),
                "pixels": pixels,
                "share": fractions[name],
                "colour": "#{:02x}{:02x}{:02x}".format(*colours[index]),
            }
            for index, (name, pixels) in enumerate(result.pixels.items())
        ],
        "mean_confidence": result.mean_confidence,
        "threshold": result.threshold,
        "background": result.background,
        "models": {role: dict(model) for role, model in result.models.items()},
        "settings": dict(result.settings),
        "version": version("feedseg"),
    }


def is_of(file: Path, source: str | None) -> bool:
    """Whether a JSON file of an earlier result says that it came from this source; an unreadable one says nothing."""
    try:
        return source is not None and json.loads(file.read_text(encoding="utf-8"))["picture"] == source
    except (OSError, ValueError, KeyError, TypeError):
        return False
