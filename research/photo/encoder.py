"""Words to unit vectors: the sentence encoder all-MiniLM-L6-v2 over templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import packed
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import normalize

TEMPLATES = ("{}", "a photo of a {}.")
BATCH = 256
LONGEST = 64  # tokens


class Encoder:
    """Unit embeddings of words, remembered."""

    def __init__(self, folder: Path, templates: Sequence[str] = TEMPLATES) -> None:
        self.module = packed.load_module(folder, "BertModel")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(LONGEST)
        self.templates = tuple(templates)
        self._known: dict[str, Tensor] = {}

    def __call__(self, words: Sequence[str]) -> Tensor:
        """The unit mean of the templates' unit embeddings: (W, E)."""
        new = sorted(dict.fromkeys(word for word in words if word not in self._known), key=len)
        for start in range(0, len(new), BATCH):
            some = new[start : start + BATCH]
            mean = sum(self.sentences([template.format(word) for word in some]) for template in self.templates)
            self._known |= dict(zip(some, normalize(torch.as_tensor(mean), dim=-1), strict=True))
        return torch.stack([self._known[word] for word in words])

    @torch.inference_mode()
    def sentences(self, sentences: list[str]) -> Tensor:
        """Unit embeddings of sentences: the mean over the tokens, (S, E)."""
        encodings = self.tokenizer.encode_batch(sentences)
        ids = torch.tensor([encoding.ids for encoding in encodings])
        mask = torch.tensor([encoding.attention_mask for encoding in encodings])
        hidden = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        summed = (hidden * mask[..., None]).sum(dim=1)
        return normalize(summed / mask.sum(dim=1, keepdim=True), dim=-1).clone()
