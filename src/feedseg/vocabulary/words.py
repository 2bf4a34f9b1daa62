"""How words are written: which are the same, which known one is meant, and what can be no word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from feedseg.errors import brief

LONGEST = 200  # characters of a word
SHOWN = 60  # characters of a text in a message
# Marks that nobody sees, which come along when text is copied: soft hyphen, zero-width space, word joiner, byte order
# mark, and the marks of direction, which change nothing within one word.
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff\u200e\u200f\u061c"))
JOINERS = "\u200c\u200d"  # part of how Persian, Hindi or a family of emoji is written
# They make a terminal or a page show other text than there is.
BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
PLURALS = {
    "calf": "calves",
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "half": "halves",
    "hoof": "hooves",
    "knife": "knives",
    "leaf": "leaves",
    "life": "lives",
    "loaf": "loaves",
    "louse": "lice",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "scarf": "scarves",
    "shelf": "shelves",
    "thief": "thieves",
    "tooth": "teeth",
    "wife": "wives",
    "wolf": "wolves",
    "woman": "women",
}
SINGULARS = {plural: singular for singular, plural in PLURALS.items()}


def tidied(word: str) -> str:
    """A word as it was written, with single spaces, composed accents and without invisible marks."""
    text = unicodedata.normalize("NFC", word.translate(INVISIBLE))
    return " ".join(text.split()).strip(JOINERS + " ")


def cleaned(word: str) -> str:
    """A word as an encoder gets it: tidied, in Unicode's compatibility form (NFKC), so that full-width letters are
    letters."""
    text = word
    while (form := tidied(unicodedata.normalize("NFKC", text))) != text:  # a form may begin with a space
        text = form
    return text


def normal_form(word: str) -> str:
    """What two ways of writing the same word have in common: cleaned, without upper case."""
    text = cleaned(word)
    while (form := cleaned(text.casefold())) != text:
        text = form
    return text


def plain_form(word: str) -> str:
    """The normal form without accents, and with spaces for hyphens and low lines."""
    decomposed = unicodedata.normalize("NFD", normal_form(word))
    # marks are accents where the letter is Latin, Greek or Cyrillic; elsewhere (Thai, Hindi) they are the vowels
    bare = "".join(char for char in decomposed if not 0x300 <= ord(char) <= 0x36F)
    return normal_form(bare.replace("-", " ").replace("_", " "))


def other_numbers(form: str) -> Iterator[str]:
    """What may be the singular or the plural of an English word or phrase, by its last word.

    More than there is: the caller knows which words exist, so a few rules do, and no dictionary is needed.
    """
    head, space, last = form.rpartition(" ")
    for other in dict.fromkeys((*_singulars(last), *_plurals(last))):
        if other and other != last:
            yield f"{head}{space}{other}"


def _singulars(word: str) -> Iterator[str]:
    if word in SINGULARS:
        yield SINGULARS[word]
    if word.endswith("men"):
        yield f"{word[:-3]}man"
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]


def _plurals(word: str) -> Iterator[str]:
    if word in PLURALS:
        yield PLURALS[word]
    if word.endswith("man"):
        yield f"{word[:-3]}men"
    if word.endswith("y"):
        yield f"{word[:-1]}ies"
    if word.endswith(("s", "x", "z", "ch", "sh", "o")):
        yield f"{word}es"
    yield f"{word}s"


class WordIndex:
    """Known words, found by how people write them."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(dict.fromkeys(words))
        self._exact = frozenset(self.words)
        self._normal: dict[str, str] = {}
        self._plain: dict[str, str] = {}
        for word in self.words:
            self._normal.setdefault(normal_form(word), word)
            self._plain.setdefault(plain_form(word), word)

    def find(self, word: str) -> str | None:
        """The known word that is meant: the same, the same in another form, without accents, in the other number."""
        if word in self._exact:
            return word
        if (found := self._normal.get(normal_form(word))) is not None:
            return found
        plain = plain_form(word)
        return next((self._plain[form] for form in (plain, *other_numbers(plain)) if form in self._plain), None)

    def near(self, word: str, most: int = 3) -> tuple[str, ...]:
        """The known words that are spelled much like a word and begin like it, the nearest first."""
        plain = plain_form(word)
        begin_like_it = [form for form in self._plain if form[:1] == plain[:1]]
        return tuple(self._plain[form] for form in get_close_matches(plain, begin_like_it, most, cutoff=0.75))


def fault(word: str) -> str | None:
    """Why a text can be no word, as the end of a sentence; None where it can."""
    if len(word) > LONGEST:
        return f"has {len(word)} characters, and a word has at most {LONGEST}"
    for char in word:
        if char in BIDI_OVERRIDES:
            return f"holds U+{ord(char):04X}, which turns the direction of the text around it: leave it out"
        if unicodedata.category(char) in ("Cc", "Cs", "Co", "Zl", "Zp"):
            return f"holds the unprintable character U+{ord(char):04X}: leave it out"
    return "cannot start with #, which begins a comment" if word.startswith("#") else None


def shown(what: object) -> str:
    """A text in quotation marks, or anything else, for a message; cut where it is long."""
    if isinstance(what, str):
        text = repr(what if len(what) <= SHOWN else f"{what[: SHOWN - 1]}…")
        return text.replace("\\u200c", JOINERS[0]).replace("\\u200d", JOINERS[1])  # a word is not torn
    return brief(what)


def some(texts: Iterable[str], most: int = 5, separator: str = "; ") -> str:
    """The first of many texts in a row, the others only counted."""
    everything = list(texts)
    first = separator.join(everything[:most])
    return first if len(everything) <= most else f"{first}{separator}and {len(everything) - most} more"
