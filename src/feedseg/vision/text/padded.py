"""Text encoders whose prompts are padded to one length, as SigLIP's and TIPSv2's were trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.text.base import Progress, TextEncoder, WordGraph
from feedseg.vision.text.cache import EmbeddingCache
from feedseg.vision.text.templates import default_templates
from feedseg.vocabulary.words import cleaned
from feedseg.weights.checkpoint import Checkpoint, read_config

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer

BATCH = 256  # prompts that go through the text tower together


@dataclass(frozen=True)
class PaddedTokenizer:
    """Token numbers of prompts, all of one length: a prompt's own, the end, then padding to the right.

    The tokenizer does all of it by itself, as `load_padded_tokenizer` sets it up.
    """

    tokenizer: Tokenizer
    length: int

    def __call__(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers and which of them are no padding, 1 or 0; (len(prompts), length) each, int64.

        Raises:
            FeedsegError: a prompt is longer than the text tower takes.
        """
        encodings = self.tokenizer.encode_batch(list(prompts))
        for encoding, prompt in zip(encodings, prompts, strict=True):
            if len(encoding.ids) > self.length:
                raise FeedsegError(
                    f"the text tower takes {self.length} tokens, and {prompt[:60]!r}… has more: shorten it"
                )
        ids, mask = (torch.tensor([getattr(one, name) for one in encodings]) for name in ("ids", "attention_mask"))
        return ids, mask


class PaddedTextEncoder(TextEncoder):
    """A text tower that pools by itself. A word's embedding: every prompt's normalised, averaged, normalised again."""

    def __init__(
        self,
        model: Any,
        tokenizer: PaddedTokenizer,
        revision: str,
        *,
        sees_padding: bool,
        templates: tuple[str, ...] | None = None,
    ) -> None:
        """`sees_padding`: the tower attends to padding as to any token; `templates`: instead of the 80 usual ones."""
        self.module = model
        self.max_length = tokenizer.length
        self.revision = revision
        self._tokenizer = tokenizer
        self._sees_padding = sees_padding
        self._templates = templates

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.module.to(device=device, dtype=dtype)

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Unit embeddings of whole prompts, (len(prompts), E), fp32, on the CPU; in batches."""
        device = next(self.module.parameters()).device
        parts = []
        for start in range(0, len(prompts), BATCH):
            ids, mask = self._tokenizer(prompts[start : start + BATCH])
            seen = None if self._sees_padding else mask.to(device)
            pooled = self.module(input_ids=ids.to(device), attention_mask=seen).pooler_output
            parts.append(normalize(pooled.float(), dim=-1).cpu())
        return torch.cat(parts)

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        prompts = tuple(templates or self._templates or default_templates())
        dtype = str(next(self.module.parameters()).dtype).removeprefix("torch.")
        cache = EmbeddingCache(self.revision, prompts, dtype)

        def embed_word(word: str) -> Tensor:
            return normalize(self.encode([prompt.replace("{}", word) for prompt in prompts]).mean(dim=0), dim=-1)

        return cache.completed(list(map(cleaned, words)), embed_word, progress)

    def word_graph(self) -> WordGraph:
        graph = _Word(self.module, self._sees_padding)
        return WordGraph(
            graph, self._tokenizer.tokenizer.to_str(), self._templates or default_templates(), self.max_length
        )


class _Word(nn.Module):
    """Token numbers and mask of a word's prompts to its embedding, as `PaddedTextEncoder.embed` makes it."""

    def __init__(self, model: Any, sees_padding: bool) -> None:
        super().__init__()
        self.model = model
        self._sees_padding = sees_padding

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        pooled = self.model(input_ids=ids, attention_mask=None if self._sees_padding else mask).pooler_output
        return normalize(normalize(pooled, dim=-1).mean(dim=0), dim=-1)


def load_padded_tokenizer(
    checkpoint: Checkpoint, length: int, normalisers: Sequence[Normalizer], *, ends: bool
) -> PaddedTokenizer:
    """The tokenizer of a checkpoint's tokenizer.json, with the special tokens of its tokenizer_config.json.

    The special tokens are put there here, whatever the file's own post-processor would do: published tokenizers of one
    family differ in it, and the models were trained in one way.

    Args:
        checkpoint: where the files are.
        length: that all prompts are padded to.
        normalisers: what makes a prompt what the model was trained on, before the file's own.
        ends: whether a token ends every prompt.

    Raises:
        FeedsegError: a file is missing or not usable, or names no padding or end that the tokenizer has.
    """
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Sequence as Steps
    from tokenizers.processors import TemplateProcessing

    path: Path = checkpoint.folder / "tokenizer.json"
    if not path.is_file():
        raise FeedsegError(
            f"{checkpoint.source} has no tokenizer.json (a sentencepiece model alone is not read): give one that has"
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises its own kinds, without a common class
        raise FeedsegError(f"{path} is no usable tokenizer: {first_line(error)}") from error
    config = read_config(checkpoint, "tokenizer_config.json")
    padding, number = _special(tokenizer, config, "pad_token", checkpoint)
    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    ending = [_special(tokenizer, config, "eos_token", checkpoint)] if ends else []
    template = ["$A", *(text for text, _ in ending)]
    tokenizer.normalizer = Steps([*normalisers, *own])
    tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=ending)
    tokenizer.no_truncation()
    tokenizer.enable_padding(length=length, pad_id=number, pad_token=padding)
    return PaddedTokenizer(tokenizer, length)


def _special(tokenizer: Tokenizer, config: dict[str, Any], role: str, checkpoint: Checkpoint) -> tuple[str, int]:
    """The text and the number of the token in a role; the text is there alone or with its options."""
    token = config.get(role)
    text = token.get("content") if isinstance(token, dict) else token
    number = tokenizer.token_to_id(text) if isinstance(text, str) else None
    if not isinstance(text, str) or number is None:
        raise FeedsegError(f"{checkpoint.source}: its tokenizer has no {role} {text!r}, and cannot be used without")
    return text, number
