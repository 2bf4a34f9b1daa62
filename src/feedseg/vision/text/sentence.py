"""Sentence encoders (Reimers and Gurevych, EMNLP 2019), projected into a tower's joint space by a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from feedseg.errors import FeedsegError, first_line
from feedseg.json_files import read_json_file
from feedseg.vision.networks.load import load_network
from feedseg.vision.text.base import (
    NEIGHBOURS,
    Progress,
    TextAlignment,
    TextEncoder,
    TextFamily,
    Unfamiliar,
    WordGraph,
)
from feedseg.vision.text.cache import EmbeddingCache
from feedseg.vocabulary.words import cleaned
from feedseg.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH = 256  # prompts that go through the encoder together


class SentenceEncoder(TextEncoder):
    """Mean-pooled sentence embeddings. A word's: every prompt's normalised, averaged, normalised, projected."""

    def __init__(
        self, module: Any, tokenizer: Tokenizer, alignment: TextAlignment, checkpoint_revision: str, revision: str
    ) -> None:
        self.module = module
        self.revision = revision
        self.max_length = module.config.max_position_embeddings
        self._tokenizer = tokenizer
        self._alignment = alignment
        self._checkpoint_revision = checkpoint_revision

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        """Unit sentence embeddings of whole prompts, before the projection: (len(prompts), D), fp32, on the CPU."""
        parts = []
        for start in range(0, len(prompts), BATCH):
            batch = list(prompts[start : start + BATCH])
            encodings = self._tokenizer.encode_batch(batch)
            if self.max_length and len(encodings[0].ids) > self.max_length:
                longest = max(batch, key=len)
                raise FeedsegError(
                    f"the text encoder takes {self.max_length} tokens, and {longest[:60]!r}… has more: shorten it"
                )
            ids = torch.tensor([encoding.ids for encoding in encodings])
            mask = torch.tensor([encoding.attention_mask for encoding in encodings])
            parts.append(self._pooled(ids, mask))
        return torch.cat(parts)

    def _pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit means over the tokens of prompts: (prompts, tokens) twice to (prompts, D)."""
        hidden = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        return normalize((hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True), dim=-1)

    def embed(self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None) -> Tensor:
        """See `TextEncoder.embed`.

        unit(unit(e M + b) + softmax_k(s · e·E_k) R): the projection of a word's sentence embedding e, corrected by the
        residuals R of the known words E that mean something similar.
        """
        # One by one, as in the cache: the last digits of a product depend on its shape.
        return torch.stack([self._projected(sentence) for sentence in self._sentences(words, templates, progress)])

    def _projected(self, sentence: Tensor) -> Tensor:
        """The joint embedding (E,) of a sentence embedding (D,)."""
        alignment = self._alignment
        projected = sentence @ alignment.projection
        if alignment.bias is not None:
            projected = projected + alignment.bias
        projected = normalize(projected, dim=-1)
        if alignment.known is not None and alignment.residuals is not None:
            weights = (alignment.residual_sharpness * sentence @ alignment.known.T).softmax(dim=-1)
            projected = normalize(projected + weights @ alignment.residuals, dim=-1)
        return projected

    def word_graph(self) -> WordGraph:
        return WordGraph(_Word(self), self._tokenizer.to_str(), self._alignment.templates, self.max_length)

    @property
    def known_words(self) -> tuple[str, ...]:
        return self._alignment.known_words

    def unfamiliar(self, words: Sequence[str]) -> list[Unfamiliar]:
        known = self._alignment.known
        if known is None or not words:
            return []
        found = (self._sentences(words, None) @ known.T).topk(min(NEIGHBOURS, len(known)), dim=-1)
        return [
            Unfamiliar(word, tuple(self._alignment.known_words[index] for index in near), cosines[0])
            for word, cosines, near in zip(words, found.values.tolist(), found.indices.tolist(), strict=True)
            if cosines[0] < self._alignment.least_similarity
        ]

    def _sentences(
        self, words: Sequence[str], templates: Sequence[str] | None, progress: Progress | None = None
    ) -> Tensor:
        """Unit means over the prompts, (len(words), D)."""
        prompts = tuple(templates or self._alignment.templates)
        cache = EmbeddingCache(self._checkpoint_revision, prompts, "float32")

        def embed_word(word: str) -> Tensor:
            return normalize(self.encode([prompt.replace("{}", word) for prompt in prompts]).mean(dim=0), dim=-1)

        return cache.completed(list(map(cleaned, words)), embed_word, progress)


class _Word(nn.Module):
    """Token numbers and mask of a word's prompts to its embedding, as `SentenceEncoder.embed` makes it."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        super().__init__()
        self.module = encoder.module
        self._encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        sentence = normalize(self._encoder._pooled(ids, mask).mean(dim=0), dim=-1)
        return self._encoder._projected(sentence)


class SentenceFamily(TextFamily):
    """transformers' `BertModel` with mean pooling, as sentence-transformers publishes it."""

    model_types = ("bert",)

    def open(self, checkpoint: Checkpoint, alignment: TextAlignment, revision: str) -> SentenceEncoder:
        module = load_network(checkpoint, "BertModel", add_pooling_layer=False)
        width = module.config.hidden_size
        if len(alignment.projection) != width:
            shape = tuple(alignment.projection.shape)
            raise FeedsegError(f"{checkpoint.source} has {width} channels, and its projection takes {shape}")
        return SentenceEncoder(module, _tokenizer(checkpoint), alignment, checkpoint.revision, revision)


def _tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """By the tokenizers library itself: transformers' own front takes a second to import."""
    from tokenizers import Tokenizer

    path = checkpoint.folder / "tokenizer.json"
    try:
        read_json_file(path)  # which refuses what the library would take in silence
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8-sig"))
        tokenizer.no_truncation()
    except Exception as error:  # the library raises its own kinds, without a common class
        raise FeedsegError(f"{path} is no usable tokenizer: {first_line(error)}") from error
    tokenizer.enable_padding()
    return tokenizer


TEXT_ENCODER = SentenceFamily()
