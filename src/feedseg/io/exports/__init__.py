"""The formats that are one file for a whole run, one file each: see `feedseg.io.exports.base.Export`."""

from __future__ import annotations

from feedseg.io.exports.base import Export
from feedseg.registry import Registry

EXPORTS: Registry[Export] = Registry("feedseg.io.exports", "EXPORT", "Export")
