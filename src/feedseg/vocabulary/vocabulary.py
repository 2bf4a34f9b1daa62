"""What an image is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from feedseg.errors import FeedsegError, warn_user
from feedseg.files import write_atomically
from feedseg.vocabulary.background import AUTO, stock_beside
from feedseg.vocabulary.entries import Words, entries_of, kind_of, number_of, put_together, templates_of, words_of
from feedseg.vocabulary.text import Parts, background_of, classes_of_line, parts_of, text_of
from feedseg.vocabulary.words import normal_form, shown, some

BACKGROUND = "background"


@dataclass(frozen=True, init=False)
class Vocabulary:
    """What an image is asked for: classes with synonyms, a background, a threshold, prompt templates.

    Words that differ in case, spaces or Unicode's form alone are the same; where a class is written twice, its words
    are put together, with a warning.

    Args:
        classes: each a name, ``"name; synonym"`` or a sequence of words, the first of which is the name.
        background: words of the background, which becomes class 0; ``"auto"`` for those of a stock list that are not
            asked for and that the model knows (see `resolved`).
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
    automatic: bool = field(default=False, init=False)  # whether the background is the stock list, for every model
    repeats: bool = field(default=False, init=False, compare=False)  # whether a word may be in several classes

    def __init__(
        self,
        classes: Iterable[str | Iterable[str]],
        background: str | Iterable[str] | None = None,
        threshold: float = 0.0,
        templates: Iterable[str] | None = None,
    ) -> None:
        entries = entries_of(classes)
        automatic = isinstance(background, str) and normal_form(background) == AUTO
        found, notes = put_together(words_of(entry) for entry in entries)
        if automatic:
            if (BACKGROUND,) in (forms := [tuple(map(normal_form, words)) for words in found]):
                found = tuple(words for words, form in zip(found, forms, strict=True) if form != (BACKGROUND,))
                warn_user(f"the class {BACKGROUND!r} is left out: the automatic background is called so")
            behind = stock_beside(word for words in found for word in words)
        else:
            empty = isinstance(background, (str, list, tuple)) and not background
            (behind,), more = (((),), []) if background is None or empty else put_together([words_of(background)])
            notes += more
        self._set(
            classes=found,
            background=behind,
            threshold=number_of(threshold),
            templates=None if templates is None else templates_of(templates),
            automatic=automatic,
            repeats=False,
        )
        if notes:  # told first, since it may leave a single class
            warn_user(f"{some(notes)}: written more than once, counted once")
        self._check()
        for note in self._notes():
            warn_user(note)

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _changed(self, **changes: Any) -> Vocabulary:
        """The same with other fields; what was told of it is not told again."""
        new = object.__new__(Vocabulary)
        names = ("classes", "background", "threshold", "templates", "automatic", "repeats")
        new._set(**{name: getattr(self, name) for name in names} | changes)
        new._check()
        return new

    def _check(self) -> None:
        if not self.classes:
            raise FeedsegError("a vocabulary needs at least one class")
        if not 0 <= self.threshold < 1:
            raise FeedsegError(f"the threshold is a probability from 0 to below 1, not {self.threshold:g}")
        if len(self.classes) == 1 and not self.background:
            words = "; ".join(self.classes[0])
            what = "the only word" if len(self.classes[0]) == 1 else "one class with synonyms (after semicolons)"
            left = "; nothing is left of the stock list" if self.automatic else ""
            raise FeedsegError(
                f"with {shown(words)} as {what} every pixel would get it: add classes, separated by commas, or "
                f'background words{left} (Vocabulary(…, background="auto") takes a stock list)'
            )
        if not self.repeats:
            self._check_duplicates()
        for template in self.templates or ():
            if template.count("{}") != 1 or not template.isprintable():
                raise FeedsegError(
                    f"the template {shown(template)} must be one line with exactly one {{}} for the word"
                )
        if self.templates is not None and not self.templates:
            raise FeedsegError("an empty list of templates leaves nothing to ask; leave it out for the default ones")

    def _check_duplicates(self) -> None:
        holders: dict[str, list[str]] = {}
        for words in self.classes:
            for word in words:
                holders.setdefault(normal_form(word), []).append(words[0])
        if twice := [
            f"{shown(form)} stands in {' and in '.join(map(repr, names))}"
            for form, names in holders.items()
            if len(names) > 1
        ]:
            raise FeedsegError(f"a word belongs to one class: {some(twice)}")
        if self.has_background and normal_form(BACKGROUND) in map(normal_form, (words[0] for words in self.classes)):
            advice = "leave it out" if self.automatic else "give it as the background instead"
            raise FeedsegError(f"a class is called 'background' beside the background: {advice}")

    def _notes(self) -> Iterator[str]:
        """What is told of a vocabulary that can be used."""
        of_class = {normal_form(word): words[0] for words in self.classes for word in words}
        for word in self.background:
            if (name := of_class.get(normal_form(word))) is not None:
                yield f"the word {word!r} is in the background and in class {name!r}; background wins"
        asked = sum(bool(words) for words in self.words)
        if 0 < self.threshold * asked <= 1:
            yield (
                f"a threshold of {self.threshold:g} cannot do anything with {asked} classes: the most probable always "
                f"has at least {1 / asked:.3g}; take a higher one"
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
        """The classes' names in the order of the labels, all different: a second "door" is "door (2)"."""
        firsts = [words[0] for words in self.classes]
        before = (firsts[:index].count(name) for index, name in enumerate(firsts))
        names = tuple(
            f"{name} ({earlier + 1})" if earlier else name for name, earlier in zip(firsts, before, strict=True)
        )
        return (BACKGROUND, *names) if self.has_background else names

    @cached_property
    def queries(self) -> Words:
        """Every word, in the order of the labels."""
        return tuple(word for words in self.words for word in words)

    @cached_property
    def query_to_class(self) -> tuple[int, ...]:
        """The label of every query."""
        return tuple(label for label, words in enumerate(self.words) for _ in words)

    def with_threshold(self, threshold: float) -> Vocabulary:
        """The same with another threshold, of which nothing is told."""
        return self._changed(threshold=number_of(threshold))

    def resolved(self, recognised: Callable[[Words], Mapping[str, str]]) -> Vocabulary:
        """The same with the background words that a model knows; itself where the background is not automatic.

        Args:
            recognised: of some words those that the model knows, and what it calls them.

        Raises:
            FeedsegError: there is one class, and no background word is left beside it.
        """
        if not self.automatic:
            return self
        known = recognised(self.background) if self.background else {}
        background = tuple(known[word] for word in self.background if word in known)
        if not background:
            why = "no background word is left: the model knows none of the stock list that is not asked for"
            if len(self.classes) == 1:
                raise FeedsegError(f"{why}, so every pixel would get {self.classes[0][0]!r}; name background words")
            warn_user(f"{why}, so every pixel gets one of the words")
        return self._changed(background=background, automatic=False)

    @classmethod
    def published(
        cls, classes: Iterable[str | Iterable[str]], background: Iterable[str] = (), threshold: float = 0.0
    ) -> Vocabulary:
        """The words of a benchmark as its evaluations have them, of which nothing is told.

        A word may be in several classes, or in the background too: it is asked for in each, and where they are equally
        probable the first gets the pixel (as in published code, whose maximum is the first of equal ones).
        """
        new = object.__new__(cls)
        new._set(
            classes=tuple(words_of(entry) for entry in classes),
            background=tuple(background),
            threshold=number_of(threshold),
            templates=None,
            automatic=False,
            repeats=True,
        )
        new._check()
        return new

    @classmethod
    def of(cls, words: Vocabulary | str | Iterable[str | Iterable[str]]) -> Vocabulary:
        """A vocabulary as it is, a list of classes, or one line of text as `parse_line` takes it."""
        if isinstance(words, Vocabulary):
            return words
        if isinstance(words, str):
            return cls.parse_line(words)
        if isinstance(words, (set, frozenset, Mapping)) or not isinstance(words, Iterable):
            raise FeedsegError(f"words are a Vocabulary, a list of classes or a line of text, not {kind_of(words)}")
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
        for what, line in (("the labels", labels), ("the background", background)):
            if not isinstance(line, (str, type(None) if what == "the background" else str)):
                raise FeedsegError(f"{what} are one line of text, not {shown(line)}")
        behind = None if background is None else background_of(background, ",;", f"the background {shown(background)}")
        return cls(classes_of_line(labels), behind, threshold, templates)

    @classmethod
    def parse(
        cls,
        text: str,
        source: str = "the vocabulary",
        background: str | Iterable[str] | None = None,
        threshold: float | None = None,
    ) -> Vocabulary:
        """From text in the format that `feedseg.vocabulary.text` describes.

        Args:
            text: of any number of lines.
            source: what errors call it.
            background: as the constructor takes it, where the text says nothing of it.
            threshold: instead of the text's.
        """
        if not isinstance(text, str):
            raise FeedsegError(f"a vocabulary's text is text, not {shown(text)}")
        parts = parts_of(text, source)
        behind = background if parts.background is None else parts.background
        try:
            return cls(parts.classes, behind, parts.threshold if threshold is None else threshold, parts.templates)
        except FeedsegError as error:
            raise FeedsegError(f"{source}: {error}") from error

    @classmethod
    def read(
        cls, path: str | Path, background: str | Iterable[str] | None = None, threshold: float | None = None
    ) -> Vocabulary:
        """From a text file, UTF-8; see `parse`."""
        if not isinstance(path, (str, Path)) or "\0" in str(path):
            raise FeedsegError(f"a vocabulary's file is a path, not {shown(path)}")
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise FeedsegError(f"the vocabulary {path} is not a text file in UTF-8") from error
        except OSError as error:
            raise FeedsegError(f"the vocabulary {path} cannot be read: {error.strerror or error}") from error
        return cls.parse(text, str(path), background, threshold)

    def format(self) -> str:
        """The text that `parse` turns into this vocabulary again."""
        templates = None if self.templates is None else list(self.templates)
        background = AUTO if self.automatic else list(self.background)
        return text_of(Parts([*map(list, self.classes)], background, self.threshold, templates))

    def write(self, path: str | Path) -> None:
        """To a text file, UTF-8."""
        with write_atomically(Path(path)) as temporary:
            temporary.write_text(self.format(), encoding="utf-8")
