"""Text-aligned vision transformers, one family a file."""

from typing import TYPE_CHECKING

from feedseg.registry import Registry

if TYPE_CHECKING:
    from feedseg.vision.towers.base import TowerFamily

TOWERS: "Registry[TowerFamily]" = Registry("feedseg.vision.towers", "TOWER", "TowerFamily")
