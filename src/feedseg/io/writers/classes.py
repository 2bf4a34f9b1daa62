"""Writers of a file for each class, and the classes' names as parts of file names."""

from __future__ import annotations

import unicodedata
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from feedseg.io.writers.base import Writer

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation

LONGEST = 60  # bytes of UTF-8 that a class's name takes in a file's name, of which file systems allow some 255


class ClassFiles(Writer):
    """One file for each class that occurs: `photo.cat.mask.png` and so on."""

    def files(self, result: Segmentation) -> Mapping[str, bytes]:
        """See `Writer.files`."""
        suffixes, pixels = self.suffixes(result.names), result.pixels
        return {
            suffixes[index]: self.encode_class(result, index)
            for index, name in enumerate(result.names)
            if pixels[name] and self.wants(result, index)
        }

    def suffixes(self, names: Sequence[str]) -> tuple[str, ...]:
        """See `Writer.suffixes`; in the order of the classes."""
        return tuple(f".{slug}{self.suffix}" for slug in slugs(tuple(names)))

    def wants(self, result: Segmentation, index: int) -> bool:
        """Whether a class gets a file."""
        return True

    @abstractmethod
    def encode_class(self, result: Segmentation, index: int) -> bytes:
        """What the file of a class holds; the same bytes for the same result."""


@lru_cache(maxsize=8)
def slugs(names: tuple[str, ...]) -> tuple[str, ...]:
    """For each name a part of a file's name: letters and digits of any script in lower case, the rest as hyphens.

    All are different, on systems too that do not tell upper from lower case or one Unicode form from another, and none
    has a character that any system refuses. Where two would be the same, the class's index is appended to the later.
    """
    found: dict[str, None] = {}
    for index, name in enumerate(names):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        kept = "".join(char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in folded)
        slug = _cut("-".join(kept.split()), LONGEST) or f"class-{index}"
        while slug in found:
            slug = f"{_cut(slug, LONGEST - len(str(index)) - 1)}-{index}"
        found[slug] = None
    return tuple(found)


def _cut(text: str, most: int) -> str:
    """As much of a text as has so many bytes."""
    return text.encode()[:most].decode(errors="ignore").rstrip("-")
