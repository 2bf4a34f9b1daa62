"""What a vocabulary is made from, checked: classes, their words, the threshold, the templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from feedseg.errors import FeedsegError
from feedseg.vocabulary.separators import advice_on, numbers_before
from feedseg.vocabulary.words import LONGEST, fault, normal_form, shown, tidied

Words = tuple[str, ...]


def entries_of(classes: Iterable[str | Iterable[str]]) -> list[str | Iterable[str]]:
    """The classes one by one. Raises FeedsegError where they are no list, have no order, or are numbered."""
    if isinstance(classes, str):
        raise FeedsegError(f"the classes are a list; for text on one line use Vocabulary.parse_line({shown(classes)})")
    if isinstance(classes, (bytes, set, frozenset, Mapping)) or not isinstance(classes, Iterable):
        raise FeedsegError(
            f"the classes are a list of names, or of lists of a name and its synonyms, not {kind_of(classes)}"
        )
    entries = list(classes)
    first = [entry[0] if isinstance(entry, (list, tuple)) and entry else entry for entry in entries]
    if numbers_before(first):
        example = " and ".join(shown(str(name).strip()) for name in first[:2])
        raise FeedsegError(
            f"the classes are numbered ({example}): leave the numbers out; "
            "a class's number is its place, behind the background where there is one"
        )
    return entries


def kind_of(words: object) -> str:
    """What something is that is no list of words."""
    unordered = isinstance(words, (set, frozenset))
    return f"{type(words).__name__}{', which has no order' if unordered else ''}"


def words_of(entry: str | Iterable[str]) -> Words:
    """The words of one class. Raises FeedsegError where they are none, or one of them is no word."""
    if isinstance(entry, (bytes, set, frozenset, Mapping)) or not isinstance(entry, Iterable):
        raise FeedsegError(f"a class is a name or a list of words, not {shown(entry)}")
    parts = tuple(entry.split(";") if isinstance(entry, str) else entry)
    if not all(isinstance(part, str) for part in parts):
        raise FeedsegError(f"the words of a class are text, not {shown(entry)}")
    if not parts:
        raise FeedsegError("a class without words")
    return tuple(_checked(part.strip(), entry) for part in parts)


def _checked(word: str, entry: str | Iterable[str]) -> str:
    """A word as it is kept. Raises FeedsegError where it can be none, or is several."""
    name = tidied(word) if len(word) <= LONGEST else word
    if not name:
        raise FeedsegError(f"an empty name in {shown(entry)}")
    if bad := next((mark for mark in ",;:，；：" if mark in word), None):
        raise FeedsegError(
            f"the name {shown(word)} contains {bad!r}: give every class an entry of its own, synonyms separated by ';'"
        )
    if advice := advice_on(word, whole=False):
        raise FeedsegError(f"the name {shown(word)}: {advice}")
    if reason := fault(word):
        raise FeedsegError(f"the name {shown(word)} {reason}")
    return name


def put_together(entries: Iterable[Words]) -> tuple[tuple[Words, ...], list[str]]:
    """Classes by their names, every word once, and the words that were left out beside what they are the same as."""
    classes: dict[str, dict[str, str]] = {}
    notes = []
    for words in entries:
        kept = classes.setdefault(normal_form(words[0]), {})
        for word in words:
            form = normal_form(word)
            if form in kept:
                notes.append(f"{kept[form]!r} and {word!r}")
            kept.setdefault(form, word)
    return tuple(tuple(kept.values()) for kept in classes.values()), notes


def number_of(threshold: float) -> float:
    """The threshold. Raises FeedsegError where it is no number."""
    try:
        return float(threshold)
    except (TypeError, ValueError, OverflowError):
        raise FeedsegError(f"the threshold is a number, not {shown(threshold)}") from None


def templates_of(templates: Iterable[str]) -> tuple[str, ...]:
    """The templates. Raises FeedsegError where they are no list of texts."""
    found = tuple(templates) if isinstance(templates, Iterable) and not isinstance(templates, str) else (None,)
    if not all(isinstance(template, str) for template in found):
        raise FeedsegError(f"the templates are a list of texts, not {shown(templates)}")
    return tuple(str(template).strip() for template in found)
