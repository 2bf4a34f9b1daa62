"""All of a result but its arrays, as JSON: names, areas, confidence, models and settings.

The keys are a format that other programs read; they stay as they are when the code calls something otherwise.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.io.palette import hexadecimal
from feedseg.io.writers.base import Writer
from feedseg.json_files import read_json_file

if TYPE_CHECKING:
    from feedseg.io.results import SavedResult
    from feedseg.labelmap import LabelMap
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


def as_dict(result: Segmentation | SavedResult) -> dict[str, Any]:
    """What the file says of a result."""
    width, height = result.size
    fractions = result.area_fractions
    return {
        "picture": result.source,
        "size": {"width": width, "height": height},
        "names": list(result.names),
        "classes": [
            {
                **class_entry(result, index, pixels, fractions[name]),
                "mean_confidence": result.class_confidence[index] if result.class_confidence else None,
            }
            for index, (name, pixels) in enumerate(result.pixels.items())
        ],
        "mean_confidence": result.mean_confidence,
        "threshold": result.threshold,
        "background": result.background,
        "regions": result.regions.describe(),
        "models": {role: dict(model) for role, model in result.models.items()},
        "settings": dict(result.settings),
        "version": version("feedseg"),
        **({"notes": list(notes)} if (notes := getattr(result, "notes", ())) else {}),
    }


def class_entry(result: LabelMap | SavedResult, index: int, pixels: int, fraction: float) -> dict[str, Any]:
    """What is said of a class wherever results are described: its words, its area and its colour."""
    name = result.names[index]
    return {
        "index": index,
        "name": name,
        "words": list(result.synonyms[index]) if result.synonyms else [name],
        "pixels": pixels,
        "share": fraction,
        "colour": hexadecimal(result.palette[index].tolist()),
    }


def claim(source: str | None) -> bytes:
    """What stands in the file while a result's other files are written for the first time."""
    return json.dumps({"picture": source, "unfinished": True}).encode()


def is_record(file: Path) -> bool:
    """Whether a JSON file is that of a result, or a claim; an unreadable one is not."""
    content = _content(file)
    return isinstance(content, dict) and "picture" in content


def is_of(file: Path, source: str | None) -> bool:
    """Whether a JSON file of an earlier result says that it came from this source; an unreadable one says nothing."""
    content = _content(file)
    return source is not None and isinstance(content, dict) and content.get("picture") == source


def earlier_names(file: Path) -> tuple[str, ...]:
    """The classes of the result that a JSON file is of; none if it cannot be told."""
    content = _content(file)
    names = content.get("names") if isinstance(content, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _content(file: Path) -> Any:
    try:
        return read_json_file(file)
    except (OSError, ValueError):
        return None
