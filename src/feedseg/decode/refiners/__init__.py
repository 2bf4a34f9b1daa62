"""Refiners: what changes an image's scores before they become labels, one file each."""

from typing import TYPE_CHECKING

from feedseg.registry import Registry

if TYPE_CHECKING:
    from feedseg.decode.refiners.base import Refiner

REFINERS: "Registry[Refiner]" = Registry("feedseg.decode.refiners", "REFINER", "Refiner")
