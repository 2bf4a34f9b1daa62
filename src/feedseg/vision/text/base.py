"""Words to unit embeddings: CLIP's text tower with prompt templates and a cache on disk, or a bank of finished ones."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError
from feedseg.io.files import write_atomically

if TYPE_CHECKING:
    from transformers import CLIPTextModel

BATCH = 256  # prompts that go through the text tower together
Progress = Callable[[int, int], None]  # words done, words in all


class TextEmbedder(ABC):
    """Unit embeddings of words."""

    revision: str

    @abstractmethod
    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        """Unit embeddings of words, (len(words), E), fp32, on the CPU.

        `templates` are the prompts, each with one {} for the word; None stands for the embedder's default.
        """


class TextTower(TextEmbedder):
    """The text half of a CLIP. A word's embedding: every prompt's normalised, averaged, normalised again."""

    def __init__(self, model: CLIPTextModel, projection: nn.Linear, tokenizer: Any, revision: str) -> None:
        self.module = nn.ModuleDict({"model": model, "projection": projection})
        self._model = model
        self._projection = projection
        self._tokenizer = tokenizer
        self._length = model.config.max_position_embeddings
        self.revision = revision

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move every parameter."""
        self.module.to(device=device, dtype=dtype)

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Unit embeddings of whole prompts, (len(prompts), E), fp32, on the CPU; in batches."""
        device = self._projection.weight.device
        parts = []
        for start in range(0, len(prompts), BATCH):
            batch = list(prompts[start : start + BATCH])
            tokens = self._tokenizer(batch, padding=True, return_tensors="pt")
            if tokens["input_ids"].shape[1] > self._length:
                longest = max(batch, key=len)
                raise FeedsegError(
                    f"the text tower takes {self._length} tokens, and {longest[:60]!r}… has more: shorten it"
                )
            hidden = self._model(
                input_ids=tokens["input_ids"].to(device), attention_mask=tokens["attention_mask"].to(device)
            ).pooler_output
            parts.append(normalize(self._projection(hidden).float(), dim=-1).cpu())
        return torch.cat(parts)

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        from feedseg.vocabulary import default_templates

        self._check_known(words)
        templates = tuple(templates or default_templates())
        dtype = str(self._projection.weight.dtype).removeprefix("torch.")
        cache = EmbeddingCache(self.revision, templates, dtype)
        found = {word: cache.load(word) for word in dict.fromkeys(words)}
        absent = [word for word, embedding in found.items() if embedding is None]
        together = max(1, BATCH // len(templates))
        for start in range(0, len(absent), together):
            if progress is not None:
                progress(start, len(absent))
            group = absent[start : start + together]
            prompts = [template.replace("{}", word) for word in group for template in templates]
            embeddings = self.encode(prompts).unflatten(0, (len(group), len(templates)))
            for word, embedding in zip(group, normalize(embeddings.mean(dim=1), dim=-1), strict=True):
                cache.store(word, embedding)
                found[word] = embedding
        if progress is not None and absent:
            progress(len(absent), len(absent))
        return torch.stack([embedding for word in words if (embedding := found[word]) is not None])

    def _check_known(self, words: Sequence[str]) -> None:
        """Complain about words that the tokenizer has no token for; CLIP's own spells every word in pieces."""
        tokenizer = self._tokenizer
        if tokenizer.unk_token_id in (None, tokenizer.eos_token_id, tokenizer.pad_token_id):
            return
        for word in words:
            if tokenizer.unk_token_id in tokenizer(word)["input_ids"]:
                known = sorted(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
                raise FeedsegError(
                    f"the model knows {len(known)} words and not all of {word!r}; {nearest(word, known)}"
                )


class TextBank(TextEmbedder):
    """Finished unit embeddings of a fixed set of words; prompt templates do not apply."""

    def __init__(self, embeddings: dict[str, Tensor], source: str, revision: str) -> None:
        self._embeddings = {word: normalize(embedding.float(), dim=-1) for word, embedding in embeddings.items()}
        self._source = source
        self.revision = revision

    @property
    def size(self) -> int:
        """E, how many numbers an embedding has; 0 without words."""
        return len(next(iter(self._embeddings.values()), ()))

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        if templates is not None:
            raise FeedsegError(f"{self._source} has finished text embeddings, so prompt templates cannot be chosen")
        for word in words:
            if word not in self._embeddings:
                raise FeedsegError(
                    f"{self._source} knows {len(self._embeddings)} words and {word!r} is none of them; "
                    f"{nearest(word, self._embeddings)}"
                )
        return torch.stack([self._embeddings[word] for word in words])


def nearest(word: str, known: Iterable[str]) -> str:
    """The known words that are spelled most like a word, as half a sentence."""
    near = difflib.get_close_matches(word, list(known), n=4, cutoff=0.3)
    return f"the nearest it has are {', '.join(near)}" if near else "it has nothing like it"


def read_bank(files: Sequence[Path], source: str, revision: str) -> TextBank:
    """A bank from safetensors files with `embeddings` (n, E) and the names as a JSON list in the metadata.

    Where two files know the same word, the first one's embedding counts.
    """
    from safetensors import SafetensorError, safe_open

    embeddings: dict[str, Tensor] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                names = json.loads((file.metadata() or {})["names"])
                rows = file.get_tensor("embeddings")
        except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise FeedsegError(f"{path} is no text bank (embeddings, and names in its metadata): {error}") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or rows.dim() != 2:
            raise FeedsegError(f"{path} is no text bank: it takes a list of names and (n, E) embeddings")
        if len(names) != len(rows):
            raise FeedsegError(f"{path} has {len(names)} names for {len(rows)} embeddings")
        for name, row in zip(names, rows, strict=True):
            embeddings.setdefault(name, row)
    return TextBank(embeddings, source, revision)


class EmbeddingCache:
    """Text embeddings on disk, one small file a word, below a folder for the model's revision, type and templates.

    A file that is damaged or speaks of another word counts as absent. Where the folder cannot be written, nothing is
    kept, and nothing else changes.
    """

    def __init__(self, revision: str, templates: Sequence[str], dtype: str) -> None:
        of_templates = hashlib.sha256(json.dumps(list(templates)).encode()).hexdigest()[:16]
        self.folder = cache_folder() / "text" / f"{revision.replace(':', '-')}-{dtype}-{of_templates}"

    def _path(self, word: str) -> Path:
        return self.folder / f"{hashlib.sha256(word.encode()).hexdigest()[:32]}.safetensors"

    def load(self, word: str) -> Tensor | None:
        """The word's embedding (E,), or None."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path(word), framework="pt") as file:
                return file.get_tensor("embedding") if (file.metadata() or {}).get("word") == word else None
        except (OSError, SafetensorError):
            return None

    def store(self, word: str, embedding: Tensor) -> None:
        """Keep the word's embedding (E,)."""
        from safetensors.torch import save_file

        try:
            with write_atomically(self._path(word)) as temporary:
                save_file({"embedding": embedding.contiguous()}, temporary, metadata={"word": word})
        except FeedsegError:  # a cache that cannot be written is no reason to stop
            return


def cache_folder() -> Path:
    """Where this project keeps what can be computed again: FEEDSEG_CACHE, or `feedseg` in the user's cache folder."""
    if chosen := os.environ.get("FEEDSEG_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "feedseg"
