"""What a text encoder is: words in, unit embeddings out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from feedseg.errors import FeedsegError
from feedseg.vocabulary.words import WordIndex, cleaned, normal_form, shown, some
from feedseg.weights.checkpoint import Checkpoint

Progress = Callable[[int, int], None]  # words done, words in all
SHOWN_UNKNOWN = 8  # words that an error names
NEIGHBOURS = 3  # known words that are suggested for one that is not


@dataclass(frozen=True)
class Unfamiliar:
    """A word that is far from every word that a model has learnt."""

    word: str
    near: tuple[str, ...]  # words that it has learnt and that mean something similar
    similarity: float  # cosine with the nearest, −1 to 1

    def __str__(self) -> str:
        return f"hardly seen anything like {shown(self.word)}; try {', '.join(self.near)}, or another model"


@dataclass(frozen=True)
class Substitute:
    """What a model that knows a fixed set of words takes for one that is written otherwise there."""

    word: str
    taken: str

    def __str__(self) -> str:
        return f"no {shown(self.word)}; {shown(self.taken)} was taken for it"


@dataclass(frozen=True)
class WordGraph:
    """What makes the embedding of a word, for programs without this package."""

    module: nn.Module  # token numbers and which are no padding, (prompts, tokens) each, int64, to one embedding (E,)
    tokenizer: str  # the JSON of the library tokenizers; it pads the prompts to one length
    templates: tuple[str, ...]  # the prompts of a word, each with one {} for it
    max_length: int | None  # tokens of a prompt


class TextEncoder(ABC):
    """Unit embeddings of words in the joint space of a tower."""

    revision: str  # which weights these are
    max_length: int | None = None  # tokens of a prompt; None where there is no bound
    takes_any_word: bool = True  # whether words need not be known

    @abstractmethod
    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        """Unit embeddings of words, (len(words), E), fp32, on the CPU.

        Args:
            words: what to embed.
            templates: the prompts, each with one {} for the word; None for the encoder's own.
            progress: called with the number of words done and in all.

        Raises:
            FeedsegError: words that the encoder does not know, or templates where it takes none.
        """

    @property
    def known_words(self) -> tuple[str, ...]:
        """The words that it has learnt, where there is a list of them."""
        return ()

    def meant(self, words: Sequence[str]) -> list[str | None]:
        """What it looks up for each word; None for one that it does not know."""
        return [cleaned(word) for word in words]

    def recognised(self, words: Sequence[str]) -> dict[str, str]:
        """The words that are neither unknown nor unfamiliar, and what it looks up for each."""
        strange = {found.word for found in self.unfamiliar(words)}
        pairs = zip(words, self.meant(words), strict=True)
        return {word: meant for word, meant in pairs if meant is not None and word not in strange}

    def substitutes(self, words: Sequence[str]) -> list[Substitute]:
        """The words for which it takes another one, beyond how they are written."""
        pairs = zip(words, self.meant(words), strict=True)
        return [Substitute(word, one) for word, one in pairs if one and normal_form(one) != normal_form(word)]

    def unfamiliar(self, words: Sequence[str]) -> list[Unfamiliar]:
        """The words that are far from all that the model has learnt; none where that is not known."""
        return []

    def to(self, device: torch.device, dtype: torch.dtype) -> None:  # noqa: B027 -- some have nothing to move
        """Move every parameter."""

    def word_graph(self) -> WordGraph:
        """What makes the embedding of one word, to be traced.

        Raises:
            FeedsegError: there is nothing of the kind.
        """
        raise FeedsegError(f"the words' encoder {type(self).__name__} cannot be exported")


@dataclass(frozen=True)
class TextAlignment:
    """What leads from a sentence encoder, whose embeddings have D numbers, to the joint space of a tower."""

    projection: Tensor  # (D, E)
    bias: Tensor | None = None  # (E,)
    templates: tuple[str, ...] = ("{}",)  # of the encoder's own
    known_words: tuple[str, ...] = ()  # that the projection was fitted to
    known: Tensor | None = None  # their unit embeddings by the encoder, (n, D)
    residuals: Tensor | None = None  # what the joint embeddings of words like them are off by, (n, E)
    residual_sharpness: float = 20.0  # of the softmax over the known words that weighs the residuals
    least_similarity: float = 0.0  # with the nearest known word; a word below it is unfamiliar


class TextFamily(ABC):
    """How the text encoders of an architecture are made from files, for a manifest. A family is one file."""

    model_types: ClassVar[tuple[str, ...]]  # what transformers' config.json calls them

    @abstractmethod
    def open(self, checkpoint: Checkpoint, alignment: TextAlignment, revision: str) -> TextEncoder:
        """The encoder of a checkpoint, projected into the joint space.

        Raises:
            FeedsegError: the files are not usable, or do not fit the alignment.
        """


def looked_up(encoder: TextEncoder, words: Sequence[str], source: str, index: WordIndex) -> list[str]:
    """What an encoder of a fixed set of words takes for each word.

    Args:
        encoder: see `TextEncoder.meant`.
        words: what is asked for.
        source: what an error calls the model.
        index: the words that it knows.

    Raises:
        FeedsegError: there are words that it does not know; all of them are named, with others that are like them.
    """
    meant = encoder.meant(words)
    unknown = [word for word, one in zip(words, meant, strict=True) if one is None]
    if unknown:
        from feedseg.vision.text.meaning import like_in_meaning

        named = unknown[:SHOWN_UNKNOWN]
        told = []
        for word, alike in zip(named, like_in_meaning(named, index.words), strict=True):
            near = list(dict.fromkeys((*index.near(word, 2), *alike)))[:NEIGHBOURS]
            told.append(f"{shown(word)} (the nearest: {', '.join(near)})" if near else shown(word))
        told += unknown[SHOWN_UNKNOWN:]  # only counted
        raise FeedsegError(f"{source} knows {len(index.words)} words, and not {some(told, SHOWN_UNKNOWN, ', ')}")
    return [one for one in meant if one is not None]
