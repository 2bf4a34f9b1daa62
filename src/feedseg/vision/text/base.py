"""What a text encoder is: words in, unit embeddings out."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

Progress = Callable[[int, int], None]  # words done, words in all


class TextEncoder(ABC):
    """Unit embeddings of words in the joint space of a tower."""

    revision: str  # which weights these are
    max_length: int | None = None  # tokens of a prompt; None where there is no bound
    lower_case: bool = False  # whether words are lowered before they are looked up

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

    def to(self, device: torch.device, dtype: torch.dtype) -> None:  # noqa: B027 -- some have nothing to move
        """Move every parameter."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known words that are spelled most like a word, as half a sentence."""
    near = difflib.get_close_matches(word, list(known), n=4, cutoff=0.3)
    return f"the nearest it has are {', '.join(near)}" if near else "it has nothing like it"
