"""The stock list of background words, for those who ask for things and not for what is around them."""

from __future__ import annotations

from collections.abc import Iterable

from feedseg.vocabulary.words import WordIndex

AUTO = "auto"  # instead of background words: those of the stock list
# What published evaluations ask for where they measure objects against background.
_STOCK = """
sky, wall, tree, wood, grass, road, sea, river, mountain, sand, desk, bed, building, cloud, lamp, door, window,
wardrobe, ceiling, shelf, curtain, stairs, floor, hill, rail, fence
"""
STOCK = tuple(word.strip() for word in _STOCK.split(","))


def stock_beside(words: Iterable[str]) -> tuple[str, ...]:
    """The stock words that are not among the words, neither in the singular nor in the plural."""
    asked = WordIndex(words)
    return tuple(word for word in STOCK if asked.find(word) is None)
