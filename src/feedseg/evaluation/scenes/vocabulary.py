"""The words of the scenes, which combinations are held out, and captions.

Everything that a name stands for is visible inside a small piece of a thing: a colour, a pattern, a texture. Shapes
vary for looks; captions mention them rarely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
PATTERNS = ("plain", "striped", "dotted", "checked", "zigzag", "scaly", "marbled", "netted")
BACKGROUNDS = ("grass", "water", "sand", "bricks", "snow", "fog", "wood", "night")
SHAPES = ("circle", "square", "triangle", "hexagon", "star", "cross", "ring", "flower")

# Other words that captions use for the same.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "purple": ("violet",),
    "plain": ("uniform",),
    "dotted": ("spotted", "polka dot"),
    "checked": ("chequered",),
    "netted": ("meshed",),
    "grass": ("meadow",),
    "water": ("sea",),
    "bricks": ("brick wall",),
    "fog": ("mist",),
    "wood": ("planks",),
    "night": ("night sky",),
}
NOUNS = ("thing", "object", "shape", "one")
ARTICLES = ("a", "the", "one", "")
PREPOSITIONS = ("on", "over", "in front of", "and")

Combination = tuple[str, str]  # colour, pattern
Item = TypeVar("Item")


def held_out(colour: str, pattern: str) -> bool:
    """Whether a combination is kept from training, as the zero-shot test.

    So it is where the index of the colour and that of the pattern add up to a multiple of six: 13 of 80, at least one
    of every colour and of every pattern.
    """
    return (COLOURS.index(colour) + PATTERNS.index(pattern)) % 6 == 0


COMBINATIONS: tuple[Combination, ...] = tuple(product(COLOURS, PATTERNS))
TRAINED = tuple(combination for combination in COMBINATIONS if not held_out(*combination))
HELD_OUT = tuple(combination for combination in COMBINATIONS if held_out(*combination))


@dataclass(frozen=True)
class Thing:
    """One thing of a scene."""

    colour: str
    pattern: str
    shape: str
    visible: float  # the fraction of the image's pixels that it has

    @property
    def name(self) -> str:
        """Colour and pattern: "red striped"."""
        return f"{self.colour} {self.pattern}"


@dataclass(frozen=True)
class Mention:
    """What a caption says of one thing; None for what it leaves open."""

    colour: str | None
    pattern: str | None
    shape: str | None = None

    def fits(self, thing: Thing) -> bool:
        """Whether it could be said of this thing."""
        said = ((self.colour, thing.colour), (self.pattern, thing.pattern), (self.shape, thing.shape))
        return all(word is None or word == true for word, true in said)


@dataclass(frozen=True)
class Caption:
    """A sentence about a scene, and what it claims."""

    text: str
    mentions: tuple[Mention, ...]
    background: str | None

    def fits(self, things: Sequence[Thing], background: str) -> bool:
        """Whether it is true of a scene with these visible things: every mention fits one of them."""
        if self.background is not None and self.background != background:
            return False
        return all(any(mention.fits(thing) for thing in things) for mention in self.mentions)


def caption(things: Sequence[Thing], background: str | None, rng: np.random.Generator, full: bool = False) -> Caption:
    """A caption of a scene's visible things.

    Args:
        things: the things that may be mentioned.
        background: the background's name; None if it is not to be seen, and then there are things.
        rng: where the choices come from.
        full: mention every thing with colour and pattern, and the background; otherwise some of it, sometimes the
            background alone.
    """
    order = [things[index] for index in rng.permutation(len(things))]
    if full:
        mentions = tuple(Mention(thing.colour, thing.pattern) for thing in order)
        return Caption(_sentence(mentions, background, rng), mentions, background)
    if not order or (background is not None and rng.random() < 0.12):
        return Caption(_sentence((), background, rng), (), background)
    count = 1 if rng.random() < 0.6 else len(order)
    mentions = tuple(_mention(thing, rng) for thing in order[:count])
    mentioned = background if rng.random() < 0.4 else None
    return Caption(_sentence(mentions, mentioned, rng), mentions, mentioned)


def _mention(thing: Thing, rng: np.random.Generator) -> Mention:
    """Colour and pattern, or one of them; in one of sixteen the shape too."""
    chance = rng.random()
    return Mention(
        colour=None if chance < 0.25 else thing.colour,
        pattern=None if chance > 0.85 else thing.pattern,
        shape=thing.shape if rng.random() < 0.06 else None,
    )


def _sentence(mentions: Sequence[Mention], background: str | None, rng: np.random.Generator) -> str:
    text = " and ".join(_phrase(mention, rng) for mention in mentions)
    if background is None:
        return text
    word = _spoken(background, rng)
    return f"{text} {_choice(PREPOSITIONS, rng)} {word}" if mentions else word


def _phrase(mention: Mention, rng: np.random.Generator) -> str:
    words = [_spoken(word, rng) for word in (mention.colour, mention.pattern) if word is not None]
    if rng.random() < 0.4:
        words.reverse()
    article = _choice(ARTICLES, rng)
    noun = mention.shape or (_choice(NOUNS, rng) if rng.random() < 0.6 else "")
    return " ".join(word for word in (article, *words, noun) if word)


def _spoken(word: str, rng: np.random.Generator) -> str:
    """The word itself, or in three of ten a synonym if it has one."""
    others = SYNONYMS.get(word)
    return _choice(others, rng) if others and rng.random() < 0.3 else word


def _choice(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.random() * len(items))]
