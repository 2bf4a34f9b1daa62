"""WordNet 3.0's nouns: the lemmas, glosses and more general words of a synset, read from Debian's `wordnet-base`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

FOLDER = Path("/usr/share/wordnet")
HYPERNYMS = ("@", "@i")


@dataclass(frozen=True)
class Synset:
    """A meaning: its lemmas, what it is a kind of (offsets), and its gloss without the examples."""

    lemmas: tuple[str, ...]
    parents: tuple[int, ...]
    gloss: str
    file: int  # of the lexicographers: 5 animals, 6 artifacts, 13 food, 18 persons


@dataclass
class WordNet:
    """All nouns by their offset; files are read when first asked."""

    folder: Path = FOLDER
    _ancestors: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @cached_property
    def synsets(self) -> dict[int, Synset]:
        """Every noun synset by its offset."""
        found: dict[int, Synset] = {}
        with (self.folder / "data.noun").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith(" "):
                    continue
                data, _, gloss = line.partition("|")
                parts = data.split()
                words = int(parts[3], 16)
                lemmas = tuple(parts[4 + 2 * k].replace("_", " ") for k in range(words))
                rest = parts[4 + 2 * words :]
                pointers = [rest[1 + 4 * k : 5 + 4 * k] for k in range(int(rest[0]))]
                parents = tuple(int(to) for kind, to, part, _ in pointers if kind in HYPERNYMS and part == "n")
                found[int(parts[0])] = Synset(lemmas, parents, gloss.split('; "')[0].strip(), int(parts[1]))
        return found

    @cached_property
    def senses(self) -> dict[str, tuple[int, ...]]:
        """The offsets of a lemma's meanings, the most frequent first; lemmas in lower case."""
        found: dict[str, tuple[int, ...]] = {}
        with (self.folder / "index.noun").open(encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith(" "):
                    parts = line.split()
                    found[parts[0].replace("_", " ")] = tuple(int(part) for part in parts[-int(parts[2]) :])
        return found

    def ancestors(self, offset: int) -> tuple[int, ...]:
        """All that a synset is a kind of, the nearest first."""
        if offset not in self._ancestors:
            seen: dict[int, None] = {}
            row = [offset]
            while row:
                row = [parent for one in row for parent in self.synsets[one].parents if parent not in seen]
                seen |= dict.fromkeys(row)
            self._ancestors[offset] = tuple(seen)
        return self._ancestors[offset]
