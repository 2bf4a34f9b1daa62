"""Text encoders whose prompts are padded to one length, as SigLIP's and TIPSv2's were trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, first_line
from feedseg.vision.text.base import Progress, TextEncoder
from feedseg.vision.text.cache import EmbeddingCache
from feedseg.vision.text.templates import default_templates
from feedseg.vocabulary.words import cleaned
from feedseg.weights.checkpoint import Checkpoint, read_config

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH = 256  # prompts that go through the text tower together


@dataclass(frozen=True)
class PaddedTokenizer:
    """Token numbers of prompts, all of one length: a prompt's own, the end, then padding to the right.

    The special tokens are put there here, whatever the file's own post-processor would do: published tokenizers of one
    family differ in it, and the models were trained in one way.
    """

    tokenizer: Tokenizer
    length: int
    padding: int  # the number of the token
    end: int | None  # the number of the token that ends a prompt, where there is one
    normalise: Callable[[str], str]  # a prompt as the model was trained on it

    def __call__(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers and which of them are no padding, 1 or 0; (len(prompts), length) each, int64.

        Raises:
            FeedsegError: a prompt is longer than the text tower takes.
        """
        ending = [] if self.end is None else [self.end]
        texts = [self.normalise(prompt) for prompt in prompts]
        rows = [encoding.ids + ending for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]
        for row, prompt in zip(rows, prompts, strict=True):
            if len(row) > self.length:
                raise FeedsegError(
                    f"the text tower takes {self.length} tokens, and {prompt[:60]!r}… has more: shorten it"
                )
        ids = torch.tensor([row + [self.padding] * (self.length - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (self.length - len(row)) for row in rows])
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


def load_padded_tokenizer(
    checkpoint: Checkpoint, length: int, normalise: Callable[[str], str], *, ends: bool
) -> PaddedTokenizer:
    """The tokenizer of a checkpoint's tokenizer.json, with the special tokens of its tokenizer_config.json.

    Args:
        checkpoint: where the files are.
        length: that all prompts are padded to.
        normalise: what makes a prompt what the model was trained on.
        ends: whether a token ends every prompt.

    Raises:
        FeedsegError: a file is missing or not usable, or names no padding or end that the tokenizer has.
    """
    from tokenizers import Tokenizer

    path: Path = checkpoint.folder / "tokenizer.json"
    if not path.is_file():
        raise FeedsegError(
            f"{checkpoint.source} has no tokenizer.json (a sentencepiece model alone is not read): give one that has"
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises its own kinds, without a common class
        raise FeedsegError(f"{path} is no usable tokenizer: {first_line(error)}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    config = read_config(checkpoint, "tokenizer_config.json")
    padding = _number(tokenizer, config, "pad_token", checkpoint)
    end = _number(tokenizer, config, "eos_token", checkpoint) if ends else None
    return PaddedTokenizer(tokenizer, length, padding, end, normalise)


def _number(tokenizer: Tokenizer, config: dict[str, Any], role: str, checkpoint: Checkpoint) -> int:
    """The number of the token in a role, whose text is there alone or with its options."""
    token = config.get(role)
    text = token.get("content") if isinstance(token, dict) else token
    number = tokenizer.token_to_id(text) if isinstance(text, str) else None
    if number is None:
        raise FeedsegError(f"{checkpoint.source}: its tokenizer has no {role} {text!r}, and cannot be used without")
    return number
