"""A bank: finished embeddings of a fixed set of words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.json_files import parse_json
from feedseg.vision.text.base import Progress, TextEncoder, WordGraph, looked_up
from feedseg.vocabulary.words import WordIndex


class TextBank(TextEncoder):
    """Finished unit embeddings of a fixed set of words; prompt templates do not apply."""

    takes_any_word = False

    def __init__(self, embeddings: dict[str, Tensor], source: str, revision: str) -> None:
        self._embeddings = {word: normalize(embedding.float(), dim=-1) for word, embedding in embeddings.items()}
        self._index = WordIndex(self._embeddings)
        self._source = source
        self.revision = revision

    @property
    def size(self) -> int:
        """E, how many numbers an embedding has; 0 without words."""
        return len(next(iter(self._embeddings.values()), ()))

    @property
    def known_words(self) -> tuple[str, ...]:
        return self._index.words

    def meant(self, words: Sequence[str]) -> list[str | None]:
        return [self._index.find(word) for word in words]

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        if templates is not None:
            raise FeedsegError(f"{self._source} has finished text embeddings, so prompt templates cannot be chosen")
        return torch.stack([self._embeddings[word] for word in looked_up(self, words, self._source, self._index)])

    def word_graph(self) -> WordGraph:
        raise FeedsegError(
            f"{self._source} has finished embeddings of {len(self._embeddings)} words, and no text encoder to export"
        )


def read_bank(files: Sequence[Path], source: str, revision: str) -> TextBank:
    """A bank from safetensors files with `embeddings` (n, E) and the names as a JSON list in the metadata.

    Where two files know the same word, the first one's embedding counts.
    """
    from safetensors import SafetensorError, safe_open

    embeddings: dict[str, Tensor] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                names = parse_json((file.metadata() or {})["names"])
                rows = file.get_tensor("embeddings")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise FeedsegError(f"{path} is no text bank (embeddings, and names in its metadata): {error}") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or rows.dim() != 2:
            raise FeedsegError(f"{path} is no text bank: it takes a list of names and (n, E) embeddings")
        if not (rows.is_floating_point() and rows.isfinite().all() and rows.any(dim=1).all()):
            raise FeedsegError(f"{path} is no text bank: embeddings that are no numbers, or all zero")
        if len(names) != len(rows):
            raise FeedsegError(f"{path} has {len(names)} names for {len(rows)} embeddings")
        for name, row in zip(names, rows, strict=True):
            embeddings.setdefault(name, row)
    return TextBank(embeddings, source, revision)
