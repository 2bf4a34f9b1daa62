"""The words: classes with synonyms, an optional background, a threshold, prompt templates; and their one text format.

The format, a class a line, synonyms separated by semicolons::

    # a comment
    background: wall; floor
    threshold: 0.2
    template: a photo of a {}.
    cat; kitten
    sofa; couch

`background:`, `threshold:` and `template:` (which may be repeated) are optional. On one line, as on the command line,
commas stand for the line ends: ``cat; kitten, sofa; couch``. Neither separator can be part of a name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically

BACKGROUND = "background"
DIRECTIVES = ("background", "threshold", "template")
Words = tuple[str, ...]


@dataclass(frozen=True, init=False)
class Vocabulary:
    """What an image is asked for.

    Args:
        classes: each a name, ``"name; synonym"`` or a sequence of words, the first of which is the name.
        background: words of the background, which becomes class 0.
        threshold: pixels whose best class is less probable become background; above 0 there is a background class even
            without words of its own.
        templates: prompts with one {} for the word; None for the 80 of the protocol.

    Raises:
        FeedsegError: no classes, an empty name, a separator inside a name, a word in two classes, a threshold outside
            [0, 1), a template without {}.
    """

    classes: tuple[Words, ...]
    background: Words
    threshold: float
    templates: tuple[str, ...] | None

    def __init__(
        self,
        classes: Iterable[str | Iterable[str]],
        background: str | Iterable[str] | None = None,
        threshold: float = 0.0,
        templates: Iterable[str] | None = None,
    ) -> None:
        if isinstance(classes, str):
            raise FeedsegError(f"the classes are a list; for text on one line use Vocabulary.parse_line({classes!r})")
        if isinstance(classes, Mapping) or not isinstance(classes, Iterable):
            raise FeedsegError("the classes are a list of names, or of lists of a name and its synonyms")
        set_field = object.__setattr__
        set_field(self, "classes", tuple(_words(entry) for entry in classes))
        set_field(self, "background", _words(background) if background else ())
        try:
            set_field(self, "threshold", float(threshold))
        except (TypeError, ValueError):
            raise FeedsegError(f"the threshold is a number, not {threshold!r}") from None
        set_field(self, "templates", None if templates is None else _templates(templates))
        self._check()

    def _check(self) -> None:
        if not self.classes:
            raise FeedsegError("a vocabulary needs at least one class")
        if not 0 <= self.threshold < 1:
            raise FeedsegError(f"the threshold is a probability from 0 to below 1, not {self.threshold:g}")
        if len(self.queries) < 2:
            raise FeedsegError(
                f"with {self.names[-1]!r} as the only word every pixel would get it: add classes or background words"
            )
        if len(self.classes) == 1 and not self.has_background:
            words = "; ".join(self.classes[0])
            raise FeedsegError(
                f"{words!r} is one class with synonyms, and every pixel would get it: separate classes by commas "
                "(or line ends), or add background words"
            )
        self._check_duplicates()
        for template in self.templates or ():
            if template.count("{}") != 1 or not template.isprintable():
                raise FeedsegError(f"the template {template!r} must be one line with exactly one {{}} for the word")
        if self.templates is not None and not self.templates:
            raise FeedsegError("an empty list of templates leaves nothing to ask; leave it out for the default ones")

    def _check_duplicates(self) -> None:
        seen: dict[str, str] = {}
        for words in self.classes:
            for word in words:
                if word.casefold() in seen:
                    raise FeedsegError(f"the word {word!r} stands in {seen[word.casefold()]!r} and in {words[0]!r}")
                seen[word.casefold()] = words[0]
        if self.has_background and seen.get(BACKGROUND, "").casefold() == BACKGROUND:
            raise FeedsegError(
                "a class is called 'background' beside the background: give it as the background instead"
            )
        for word in self.background:
            if word.casefold() in seen:
                warnings.warn(
                    f"the word {word!r} is in the background and in class {seen[word.casefold()]!r}; background wins",
                    UserWarning,
                    stacklevel=4,
                )

    @property
    def has_background(self) -> bool:
        """Whether class 0 is the background."""
        return bool(self.background) or self.threshold > 0

    @cached_property
    def words(self) -> tuple[Words, ...]:
        """The words of every class in the order of the labels; a background without words has none."""
        return ((self.background, *self.classes)) if self.has_background else self.classes

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names in the order of the labels."""
        names = tuple(words[0] for words in self.classes)
        return (BACKGROUND, *names) if self.has_background else names

    @cached_property
    def queries(self) -> Words:
        """Every word, in the order of the labels."""
        return tuple(word for words in self.words for word in words)

    @cached_property
    def query_to_class(self) -> tuple[int, ...]:
        """The label of every query."""
        return tuple(label for label, words in enumerate(self.words) for _ in words)

    @classmethod
    def of(cls, words: Vocabulary | str | Iterable[str | Iterable[str]]) -> Vocabulary:
        """A vocabulary as it is, a list of classes, or one line of text as `parse_line` takes it."""
        if isinstance(words, Vocabulary):
            return words
        if isinstance(words, str):
            return cls.parse_line(words)
        if isinstance(words, (Set, Mapping)) or not isinstance(words, Iterable):
            raise FeedsegError(
                f"words are a Vocabulary, a list of classes or a line of text, not {type(words).__name__}"
            )
        return cls(words)

    @classmethod
    def parse_line(
        cls,
        labels: str,
        background: str | None = None,
        threshold: float = 0.0,
        templates: Iterable[str] | None = None,
    ) -> Vocabulary:
        """From one line of text: commas between classes, semicolons between a class's words.

        In `background`, all of whose words are one class, commas and semicolons mean the same.
        """
        if not labels.strip():
            raise FeedsegError("there are no labels: give the classes, separated by commas")
        if "\n" in labels.strip():
            raise FeedsegError("labels on one line are separated by commas; for text of several lines use a file")
        classes = [_split(entry, ";", labels) for entry in _split(labels, ",", labels)]
        background_words = None if background is None else _split(background.replace(";", ","), ",", background)
        return cls(classes, background_words, threshold, templates)

    @classmethod
    def parse(cls, text: str, source: str = "the vocabulary") -> Vocabulary:
        """From text in the format described at the top of this module; `source` is what errors call it."""
        classes: list[list[str]] = []
        background: list[str] | None = None
        threshold: float | None = None
        templates: list[str] = []
        for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
            if not line or line.startswith("#"):
                continue
            where = f"{source}, line {number}"
            directive, colon, value = line.partition(":")
            if not colon:
                if "," in line:
                    raise FeedsegError(f"{where}: a comma; write a class a line, its synonyms separated by semicolons")
                classes.append(_split(line, ";", where))
            elif directive == "template":
                templates.append(value.strip())
            elif directive == "background" and background is None:
                if "," in value:
                    raise FeedsegError(f"{where}: a comma; the background's words are separated by semicolons")
                background = _split(value, ";", where)
            elif directive == "threshold" and threshold is None:
                try:
                    threshold = float(value)
                except ValueError:
                    raise FeedsegError(f"{where}: the threshold is a number, not {value.strip()!r}") from None
            elif directive in DIRECTIVES:
                raise FeedsegError(f"{where}: a second {directive}")
            else:
                raise FeedsegError(
                    f"{where}: {directive!r} is none of {', '.join(DIRECTIVES)}, and names have no colon"
                )
        try:
            return cls(classes, background, threshold or 0.0, templates or None)
        except FeedsegError as error:
            raise FeedsegError(f"{source}: {error}") from error

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """From a text file, UTF-8."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise FeedsegError(f"the vocabulary {path} is not a text file in UTF-8") from error
        except OSError as error:
            raise FeedsegError(f"the vocabulary {path} cannot be read: {error.strerror or error}") from error
        return cls.parse(text, str(path))

    def format(self) -> str:
        """The text that `parse` turns into this vocabulary again."""
        lines = []
        if self.background:
            lines.append(f"background: {'; '.join(self.background)}")
        if self.threshold:
            lines.append(f"threshold: {self.threshold!r}")
        lines += [f"template: {template}" for template in self.templates or ()]
        lines += ["; ".join(words) for words in self.classes]
        return "\n".join(lines) + "\n"

    def write(self, path: str | Path) -> None:
        """To a text file, UTF-8."""
        with write_atomically(Path(path)) as temporary:
            temporary.write_text(self.format(), encoding="utf-8")


def _words(entry: str | Iterable[str]) -> Words:
    if isinstance(entry, (bytes, Mapping)) or not isinstance(entry, Iterable):
        raise FeedsegError(f"a class is a name or a list of words, not {entry!r}")
    parts = tuple(entry.split(";") if isinstance(entry, str) else entry)
    if not all(isinstance(part, str) for part in parts):
        raise FeedsegError(f"the words of a class are text, not {entry!r}")
    words = tuple(part.strip() for part in parts)
    for word in words:
        if not word:
            raise FeedsegError(f"an empty name in {entry!r}")
        if bad := next((mark for mark in ",;:，；\n\r" if mark in word), None):
            raise FeedsegError(
                f"the name {word!r} contains {bad!r}: give every class an entry of its own, synonyms separated by ';'"
            )
        if word.startswith("#") or not word.isprintable():
            raise FeedsegError(f"the name {word!r} cannot start with # or hold unprintable characters")
    if not words:
        raise FeedsegError("a class without words")
    return words


def _templates(templates: Iterable[str]) -> tuple[str, ...]:
    found = tuple(templates) if isinstance(templates, Iterable) and not isinstance(templates, str) else (None,)
    if not all(isinstance(template, str) for template in found):
        raise FeedsegError(f"the templates are a list of texts, not {templates!r}")
    return tuple(str(template).strip() for template in found)


def _split(text: str, separator: str, where: str) -> list[str]:
    parts = [part.strip() for part in text.split(separator)]
    if not all(parts):
        raise FeedsegError(f"{where!r}: an empty name beside {separator!r}")
    return parts
