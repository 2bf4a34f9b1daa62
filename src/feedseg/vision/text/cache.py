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

from feedseg.errors import FeedsegError, warn_user
from feedseg.files import remove_temporaries, write_atomically
from feedseg.vision.text.base import Progress

REMEMBERED = 16  # vocabularies
MADE = "each word alone"  # how: what was kept by versions that embedded some words together is not read
LEFT_BEHIND = 86_400  # seconds, after which no process is still writing a temporary file


class EmbeddingCache:
    """Text embeddings on disk, one small file a word, below a folder for the model's revision, type and templates.

    A file that is for another word counts as absent; one that is damaged too, and that is told. Where the folder cannot
    be written, nothing is kept, and nothing else changes.
    """

    def __init__(self, revision: str, templates: Sequence[str], dtype: str) -> None:
        of_templates = hashlib.sha256(json.dumps([MADE, *templates]).encode()).hexdigest()[:16]
        kept = cache_folder()
        self.folder = None if kept is None else kept / "text" / f"{revision.replace(':', '-')}-{dtype}-{of_templates}"

    def path(self, word: str) -> Path | None:
        """Where the word's embedding is kept; None where nothing is."""
        return self.folder and self.folder / f"{hashlib.sha256(word.encode()).hexdigest()[:32]}.safetensors"

    def load(self, word: str) -> Tensor | None:
        """The word's embedding (E,), or None."""
        from safetensors import SafetensorError, safe_open

        path = self.path(word)
        if path is None or not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("word") != word or "sha256" not in about:  # an older version's has no checksum
                    return None
                embedding = file.get_tensor("embedding")
        except OSError:
            return None
        except SafetensorError:
            embedding, about = torch.empty(0), {"sha256": ""}
        if checksum(embedding) != about["sha256"] or not is_embedding(embedding):
            warn_user(f"{path} is damaged: its word is embedded anew")
            return None
        return embedding

    def store(self, word: str, embedding: Tensor) -> None:
        """Keep the word's embedding (E,)."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        path = self.path(word)
        if path is None:
            return
        try:
            with write_atomically(path) as temporary:
                about = {"word": word, "sha256": checksum(embedding)}
                save_file({"embedding": embedding.contiguous()}, temporary, metadata=about)
        except (FeedsegError, SafetensorError):  # a cache that cannot be written is no reason to stop
            return

    def completed(
        self,
        words: Sequence[str],
        embed: Callable[[str], Tensor],
        progress: Progress | None = None,
    ) -> Tensor:
        """The embeddings of words, (len(words), E); those that are absent are computed by `embed` and kept.

        Each is computed alone: how products are rounded depends on their shapes, so that the last digits of words that
        are embedded together would depend on what else was absent, and a run's bytes on what was run before.

        Args:
            embed: from a word to its embedding (E,).
            progress: called with the number of absent words done and in all.
        """
        found = {word: self.load(word) for word in dict.fromkeys(words)}
        absent = [word for word, embedding in found.items() if embedding is None]
        if absent and self.folder:
            remove_temporaries(self.folder, LEFT_BEHIND)
        for number, word in enumerate(absent):
            if progress is not None:
                progress(number, len(absent))
            found[word] = embedding = embed(word)
            self.store(word, embedding)
        if progress is not None and absent:
            progress(len(absent), len(absent))
        return torch.stack([embedding for word in words if (embedding := found[word]) is not None])


def checksum(embedding: Tensor) -> str:
    """32 hex digits over an embedding's type, shape and numbers."""
    raw = embedding.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{embedding.dtype} {tuple(embedding.shape)} ".encode() + raw).hexdigest()[:32]


def is_embedding(tensor: Tensor) -> bool:
    """Whether it is one: a vector of fractions, finite and not zero."""
    return tensor.dim() == 1 and tensor.is_floating_point() and bool(tensor.isfinite().all() and tensor.any())


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


def cache_folder() -> Path | None:
    """Where this project keeps what can be computed again: FEEDSEG_CACHE, or `feedseg` in the user's cache folder.

    None where that is below the home of a user who has none, or does not exist.
    """
    from platformdirs import user_cache_path

    if chosen := os.environ.get("FEEDSEG_CACHE"):
        folder = Path(os.path.expanduser(chosen))  # noqa: PTH111 -- Path's own fails for a user that does not exist
    else:
        folder = user_cache_path("feedseg", appauthor=False)
    return None if str(folder).startswith("~") else folder
