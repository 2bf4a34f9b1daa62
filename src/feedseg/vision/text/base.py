"""What a text encoder is: words in, unit embeddings out."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from feedseg.weights.checkpoint import Checkpoint

Progress = Callable[[int, int], None]  # words done, words in all


@dataclass(frozen=True)
class Unfamiliar:
    """A word that is far from every word that a model has learnt."""

    word: str
    near: tuple[str, ...]  # words that it has learnt and that mean something similar
    similarity: float  # cosine with the nearest, −1 to 1

    def __str__(self) -> str:
        return f"hardly seen anything like {self.word!r}; try {', '.join(self.near)}, or another model"


class TextEncoder(ABC):
    """Unit embeddings of words in the joint space of a tower."""

    revision: str  # which weights these are
    max_length: int | None = None  # tokens of a prompt; None where there is no bound

    @abstractmethod
    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        """Unit embeddings of words, (len(words), E), fp32, on the CPU.

        Args:
            words: what to embed.
            templates: the prompts, each with one {} for the word; None for the encoder's own.
            progress: called with the number of words done and in all.

        Raises:
            FeedsegError: a word that the encoder does not know, or templates where it takes none.
        """

    def unfamiliar(self, words: Sequence[str]) -> list[Unfamiliar]:
        """The words that are far from all that the model has learnt; none where that is not known."""
        return []

    def to(self, device: torch.device, dtype: torch.dtype) -> None:  # noqa: B027 -- some have nothing to move
        """Move every parameter."""


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


def nearest(word: str, known: Iterable[str]) -> str:
    """The known words that are spelled most like a word, as half a sentence."""
    near = difflib.get_close_matches(word, list(known), n=4, cutoff=0.3)
    return f"the nearest it has are {', '.join(near)}" if near else "it has nothing like it"
