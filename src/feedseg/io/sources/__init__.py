"""Where images come from, one kind a file: see `feedseg.io.sources.base.Source` and `feedseg.io.sources.find`."""

from __future__ import annotations

from feedseg.io.sources.base import Source
from feedseg.registry import Registry

SOURCES: Registry[Source] = Registry("feedseg.io.sources", "SOURCE", "Source")
