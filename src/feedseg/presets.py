"""Presets: a host, a feedback and refiners that were measured together, as data; docs/refiners.md has the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from feedseg.decode.refiners import REFINERS
from feedseg.errors import FeedsegError, brief
from feedseg.settings import Settings

if TYPE_CHECKING:
    from feedseg.decode.refiners.base import Refiner


@dataclass(frozen=True)
class Preset:
    """What is chosen together, by name; refiners in order, with the constants that are not their usual ones.

    `second_view` is that of `Settings`.
    """

    host: str
    feedback: str
    refined: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    second_view: float | None = None

    @property
    def refiners(self) -> tuple[Refiner, ...]:
        """The refiners as objects."""
        return tuple(replace(REFINERS.load(name), **constants) for name, constants in self.refined.items())

    def settings(self, own: Settings) -> Settings:
        """A model's or protocol's own settings, looked at as the preset does."""
        return replace(own, second_view=self.second_view)


PRESETS: Mapping[str, Preset] = {
    "best": Preset(
        host="proxyclip",
        feedback="calibrated",
        refined={
            "class-token": {"weight": 0.1},
            "propagate": {"alpha": 0.6, "power": 6.0, "probabilities": True},
            "pamr": {"dilations": (2, 4), "steps": 5, "reduce": 3},
        },
        second_view=0.75,
    ),
}


def known_preset(name: str) -> Preset:
    """The preset of a name. Raises FeedsegError where there is none."""
    if name not in PRESETS:
        near = get_close_matches(name, PRESETS)
        hint = f"did you mean {near[0]}? " if near else ""
        raise FeedsegError(f"there is no preset {brief(name)}; {hint}there are {', '.join(PRESETS)}")
    return PRESETS[name]
