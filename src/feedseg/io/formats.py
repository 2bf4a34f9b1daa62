"""The names of all formats: of those that are files of an image, of those that are a file of a run, or of both."""

from __future__ import annotations

from difflib import get_close_matches

from feedseg.errors import FeedsegError
from feedseg.io.exports import EXPORTS
from feedseg.io.exports.base import Export
from feedseg.io.writers import WRITERS
from feedseg.io.writers.base import Writer
from feedseg.registry import imported


def format_names() -> list[str]:
    """The registered names, sorted; no format is imported."""
    return sorted({*WRITERS.names(), *EXPORTS.names()})


def load_formats(wanted: str | Writer | Export) -> list[Writer | Export]:
    """The writer, the export or both of a registered name or of "package.module:Name"; an object is itself.

    Raises:
        FeedsegError: there is no such format.
    """
    if not isinstance(wanted, str):
        return [wanted]
    if ":" in wanted:
        found = imported(wanted)
        is_export = isinstance(found, Export) or (isinstance(found, type) and issubclass(found, Export))
        return [EXPORTS.load(wanted) if is_export else WRITERS.load(wanted)]
    loaded = [registry.load(wanted) for registry in (WRITERS, EXPORTS) if wanted in registry.names()]
    if not loaded:
        near = get_close_matches(wanted, format_names())
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise FeedsegError(
            f"there is no format {wanted!r}; {hint}there are {', '.join(format_names())}, or package.module:Name"
        )
    return loaded
