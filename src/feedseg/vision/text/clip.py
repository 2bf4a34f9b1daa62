"""Text towers: words in prompt templates, through the tokenizer and the tower that a CLIP or its kin comes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.text.base import Progress, TextEncoder, looked_up
from feedseg.vision.text.cache import EmbeddingCache
from feedseg.vision.text.templates import default_templates
from feedseg.vocabulary.words import WordIndex, cleaned
from feedseg.weights.checkpoint import Checkpoint
from feedseg.weights.modules import quiet_transformers

BATCH = 256  # prompts that go through the text tower together


@dataclass(frozen=True)
class PromptForm:
    """How a text tower was given its prompts when it was trained."""

    lower: bool = False  # in lower case
    padded: bool = False  # always to the tower's whole length
    masked: bool = True  # told which tokens are padding
    templates: tuple[str, ...] | None = None  # None for CLIP's eighty


class ClipTextEncoder(TextEncoder):
    """The text half of a CLIP. A word's embedding: every prompt's normalised, averaged, normalised again."""

    def __init__(
        self, model: Any, projection: nn.Module, tokenizer: Any, revision: str, form: PromptForm | None = None
    ) -> None:
        """`model` is one of transformers' text towers; `projection` leads from what it pools to the joint space."""
        self.module = nn.ModuleDict({"model": model, "projection": projection})
        self._model = model
        self._projection = projection
        self._tokenizer = tokenizer
        self._form = form or PromptForm()
        self.max_length = model.config.max_position_embeddings
        self.revision = revision
        # A tokenizer spells every word in pieces, but for one of whole words, which lacks what it does not know.
        self.takes_any_word = not _of_whole_words(tokenizer)
        known = () if self.takes_any_word else sorted(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
        self._index = WordIndex(known)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.module.to(device=device, dtype=dtype)

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Unit embeddings of whole prompts, (len(prompts), E), fp32, on the CPU; in batches."""
        device = next(self._model.parameters()).device
        form, parts = self._form, []
        for start in range(0, len(prompts), BATCH):
            batch = list(prompts[start : start + BATCH])
            spelt = [prompt.lower() for prompt in batch] if form.lower else batch
            length = {"padding": "max_length", "max_length": self.max_length} if form.padded else {"padding": True}
            tokens = self._tokenizer(spelt, return_tensors="pt", return_attention_mask=True, **length)
            if self.max_length and tokens["input_ids"].shape[1] > self.max_length:
                longest = max(batch, key=len)
                raise FeedsegError(
                    f"the text tower takes {self.max_length} tokens, and {longest[:60]!r}… has more: shorten it"
                )
            wanted = ("input_ids", "attention_mask") if form.masked else ("input_ids",)
            hidden = self._model(**{name: tokens[name].to(device) for name in wanted}).pooler_output
            parts.append(normalize(self._projection(hidden).float(), dim=-1).cpu())
        return torch.cat(parts)

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        words = looked_up(self, words, "the model", self._index)
        prompts = tuple(templates or self._form.templates or default_templates())
        dtype = str(next(self._model.parameters()).dtype).removeprefix("torch.")
        cache = EmbeddingCache(self.revision, prompts, dtype)
        return cache.completed(words, lambda group: self._embed_group(group, prompts), BATCH // len(prompts), progress)

    def _embed_group(self, words: Sequence[str], templates: Sequence[str]) -> Tensor:
        prompts = [template.replace("{}", word) for word in words for template in templates]
        embeddings = self.encode(prompts).unflatten(0, (len(words), len(templates)))
        return normalize(embeddings.mean(dim=1), dim=-1)

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


def _of_whole_words(tokenizer: Any) -> bool:
    """Whether a tokenizer knows words, and not the pieces that any word can be spelt with."""
    if tokenizer.unk_token_id in (None, tokenizer.eos_token_id, tokenizer.pad_token_id):
        return False
    backend = getattr(tokenizer, "backend_tokenizer", None)  # what is written in Python alone has none
    return type(getattr(backend, "model", None)).__name__ == "WordLevel"


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """transformers' tokenizer of a checkpoint. Raises FeedsegError where it has no usable one."""
    from transformers import AutoTokenizer

    with quiet_transformers():
        try:
            return AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
        except ImportError as error:
            raise FeedsegError(
                f"{checkpoint.source}: its tokenizer needs a package (pip install 'feedseg[siglip]'): "
                f"{first_line(error)}"
            ) from error
        except (OSError, ValueError, KeyError) as error:
            raise FeedsegError(f"{checkpoint.source} has no usable tokenizer: {first_line(error)}") from error
