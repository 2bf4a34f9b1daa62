"""CLIP's text encoder: words in prompt templates, through the tokenizer and the text tower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.text.base import Progress, TextEncoder, WordGraph, looked_up
from feedseg.vision.text.cache import EmbeddingCache
from feedseg.vision.text.templates import default_templates
from feedseg.vocabulary.words import WordIndex, cleaned
from feedseg.weights.checkpoint import Checkpoint
from feedseg.weights.modules import quiet_transformers

if TYPE_CHECKING:
    from transformers import CLIPTextModel

BATCH = 256  # prompts that go through the text tower together


class ClipTextEncoder(TextEncoder):
    """The text half of a CLIP. A word's embedding: every prompt's normalised, averaged, normalised again."""

    def __init__(self, model: CLIPTextModel, projection: nn.Linear, tokenizer: Any, revision: str) -> None:
        self.module = nn.ModuleDict({"model": model, "projection": projection})
        self._model = model
        self._projection = projection
        self._tokenizer = tokenizer
        self.max_length = model.config.max_position_embeddings
        self.revision = revision
        # CLIP's own tokenizer, and MetaCLIP 2's, spell every word in pieces; one of whole words knows only those.
        unknown, backend = tokenizer.unk_token_id, getattr(tokenizer, "backend_tokenizer", None)
        in_pieces = backend is not None and type(backend.model).__name__ != "WordLevel"
        self.takes_any_word = in_pieces or unknown in (None, tokenizer.eos_token_id, tokenizer.pad_token_id)
        known = () if self.takes_any_word else sorted(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
        self._index = WordIndex(known)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.module.to(device=device, dtype=dtype)

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Unit embeddings of whole prompts, (len(prompts), E), fp32, on the CPU; in batches."""
        device = self._projection.weight.device
        parts = []
        for start in range(0, len(prompts), BATCH):
            batch = list(prompts[start : start + BATCH])
            tokens = self._tokenizer(batch, padding=True, return_tensors="pt")
            if self.max_length and tokens["input_ids"].shape[1] > self.max_length:
                longest = max(batch, key=len)
                raise FeedsegError(
                    f"the text tower takes {self.max_length} tokens, and {longest[:60]!r}… has more: shorten it"
                )
            hidden = self._model(
                input_ids=tokens["input_ids"].to(device), attention_mask=tokens["attention_mask"].to(device)
            ).pooler_output
            parts.append(normalize(self._projection(hidden).float(), dim=-1).cpu())
        return torch.cat(parts)

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        words = looked_up(self, words, "the model", self._index)
        prompts = tuple(templates or default_templates())
        dtype = str(self._projection.weight.dtype).removeprefix("torch.")
        cache = EmbeddingCache(self.revision, prompts, dtype)

        def embed_word(word: str) -> Tensor:
            return normalize(self.encode([prompt.replace("{}", word) for prompt in prompts]).mean(dim=0), dim=-1)

        return cache.completed(words, embed_word, progress)

    def word_graph(self) -> WordGraph:
        from tokenizers import Tokenizer

        if (backend := getattr(self._tokenizer, "backend_tokenizer", None)) is None:
            raise FeedsegError(f"the tokenizer {type(self._tokenizer).__name__} is none that can be exported")
        tokenizer = Tokenizer.from_str(backend.to_str())
        tokenizer.no_truncation()
        tokenizer.enable_padding(pad_id=self._tokenizer.pad_token_id, pad_token=self._tokenizer.pad_token)
        graph = _Word(self._model, self._projection)
        return WordGraph(graph, tokenizer.to_str(), default_templates(), self.max_length)

    @property
    def known_words(self) -> tuple[str, ...]:
        return self._index.words

    def meant(self, words: Sequence[str]) -> list[str | None]:
        return super().meant(words) if self.takes_any_word else [self._known(cleaned(word)) for word in words]

    def _known(self, word: str) -> str | None:
        """The word as a tokenizer of whole words knows it; None where it lacks one of its parts."""
        if self._has_tokens(word):
            return word
        found = [part if self._has_tokens(part) else self._index.find(part) for part in word.replace("-", " ").split()]
        return None if None in found else " ".join(part for part in found if part)

    def _has_tokens(self, text: str) -> bool:
        return self._tokenizer.unk_token_id not in self._tokenizer(text)["input_ids"]


class _Word(nn.Module):
    """Token numbers and mask of a word's prompts to its embedding, as `ClipTextEncoder.embed` makes it."""

    def __init__(self, model: CLIPTextModel, projection: nn.Linear) -> None:
        super().__init__()
        self.model, self.projection = model, projection

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        pooled = self.model(input_ids=ids, attention_mask=mask).pooler_output
        return normalize(normalize(self.projection(pooled), dim=-1).mean(dim=0), dim=-1)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """transformers' tokenizer of a checkpoint. Raises FeedsegError where it has no usable one."""
    from transformers import AutoTokenizer

    with quiet_transformers():
        try:
            return AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise FeedsegError(f"{checkpoint.source} has no usable tokenizer: {first_line(error)}") from error
