"""Text embeddings that were computed before: on disk word by word, and in memory the last vocabularies."""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from feedseg.errors import FeedsegError
from feedseg.files import write_atomically
from feedseg.vision.text.base import Progress

REMEMBERED = 16  # vocabularies


class EmbeddingCache:
    """Text embeddings on disk, one small file a word, below a folder for the model's revision, type and templates.

    A file that is damaged or is for another word counts as absent. Where the folder cannot be written, nothing is
    kept, and nothing else changes.
    """

    def __init__(self, revision: str, templates: Sequence[str], dtype: str) -> None:
        of_templates = hashlib.sha256(json.dumps(list(templates)).encode()).hexdigest()[:16]
        self.folder = cache_folder() / "text" / f"{revision.replace(':', '-')}-{dtype}-{of_templates}"

    def path(self, word: str) -> Path:
        """Where the word's embedding is kept."""
        return self.folder / f"{hashlib.sha256(word.encode()).hexdigest()[:32]}.safetensors"

    def load(self, word: str) -> Tensor | None:
        """The word's embedding (E,), or None."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path(word), framework="pt") as file:
                return file.get_tensor("embedding") if (file.metadata() or {}).get("word") == word else None
        except (OSError, SafetensorError):
            return None

    def store(self, word: str, embedding: Tensor) -> None:
        """Keep the word's embedding (E,)."""
        from safetensors.torch import save_file

        try:
            with write_atomically(self.path(word)) as temporary:
                save_file({"embedding": embedding.contiguous()}, temporary, metadata={"word": word})
        except FeedsegError:  # a cache that cannot be written is no reason to stop
            return

    def completed(
        self,
        words: Sequence[str],
        embed: Callable[[Sequence[str]], Tensor],
        together: int,
        progress: Progress | None = None,
    ) -> Tensor:
        """The embeddings of words, (len(words), E); those that are absent are computed by `embed` and kept.

        Args:
            embed: from some words to their embeddings.
            together: how many words `embed` gets at once, at least 1.
            progress: called with the number of absent words done and in all.
        """
        found = {word: self.load(word) for word in dict.fromkeys(words)}
        absent = [word for word, embedding in found.items() if embedding is None]
        step = max(1, together)
        for start in range(0, len(absent), step):
            if progress is not None:
                progress(start, len(absent))
            group = absent[start : start + step]
            for word, embedding in zip(group, embed(group), strict=True):
                self.store(word, embedding)
                found[word] = embedding
        if progress is not None and absent:
            progress(len(absent), len(absent))
        return torch.stack([embedding for word in words if (embedding := found[word]) is not None])


class EmbeddingMemory:
    """The embeddings of the last vocabularies, shared by threads; a pickled one is empty."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Tensor] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """What was computed for a key; two threads may compute it twice, and both get what belongs to the key."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = compute()
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return EmbeddingMemory, ()


def cache_folder() -> Path:
    """Where this project keeps what can be computed again: FEEDSEG_CACHE, or `feedseg` in the user's cache folder."""
    from platformdirs import user_cache_path

    if chosen := os.environ.get("FEEDSEG_CACHE"):
        return Path(chosen).expanduser()
    return user_cache_path("feedseg", appauthor=False)
