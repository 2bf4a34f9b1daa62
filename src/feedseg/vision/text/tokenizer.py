"""A checkpoint's tokenizer: by the tokenizers library alone where its files say all, by transformers' front otherwise.

transformers takes a second to import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from feedseg.json_files import read_json_file
from feedseg.vision.text.clip import load_tokenizer
from feedseg.weights.checkpoint import Checkpoint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FRONTS = ("TokenizersBackend", "PreTrainedTokenizerFast")  # transformers' classes that add nothing to the file
_SPECIAL = ("unk_token", "bos_token", "eos_token", "pad_token")
_WITHOUT_EFFECT = {"backend", "clean_up_tokenization_spaces", "model_input_names", "model_max_length"}
_BESIDE = ("special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt")  # would say more


class PlainTokenizer:
    """What CLIP's text encoder asks of transformers' tokenizers, under the same names."""

    def __init__(self, tokenizer: Tokenizer, special: dict[str, str]) -> None:
        self.backend_tokenizer = tokenizer
        self.all_special_tokens = list(dict.fromkeys(special.values()))
        self.unk_token_id, self.bos_token_id, self.eos_token_id, self.pad_token_id = (
            tokenizer.token_to_id(special[name]) for name in _SPECIAL
        )
        self.pad_token = special["pad_token"]
        tokenizer.enable_padding(pad_id=self.pad_token_id, pad_token=self.pad_token)

    def __call__(self, texts: str | Sequence[str], *, padding: bool = True, return_tensors: str = "pt") -> Any:
        """Ids of one text, a list, or of several, padded to the longest, with which of them count, (B, M) both."""
        if isinstance(texts, str):
            return {"input_ids": self.backend_tokenizer.encode(texts).ids}
        encodings = self.backend_tokenizer.encode_batch(list(texts))
        return {
            "input_ids": torch.tensor([encoding.ids for encoding in encodings]),
            "attention_mask": torch.tensor([encoding.attention_mask for encoding in encodings]),
        }

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id."""
        return self.backend_tokenizer.get_vocab()


def load_prompt_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer of a checkpoint, for prompts. Raises FeedsegError where it has no usable one."""
    return plain_tokenizer(checkpoint) or load_tokenizer(checkpoint)


def plain_tokenizer(checkpoint: Checkpoint) -> PlainTokenizer | None:
    """None where transformers would read more than `tokenizer.json`, or change what it says."""
    from tokenizers import Tokenizer

    folder = checkpoint.folder
    if any((folder / name).exists() for name in _BESIDE):
        return None
    try:
        config = read_json_file(folder / "tokenizer_config.json")
        content = read_json_file(folder / "tokenizer.json")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # what is wrong with them, transformers finds as well and says
        return None
    if not isinstance(config, dict) or not isinstance(content, dict):
        return None
    if config.get("tokenizer_class") not in _FRONTS or set(config) - {"tokenizer_class", *_SPECIAL, *_WITHOUT_EFFECT}:
        return None
    special = {name: str(config.get(name)) for name in _SPECIAL}
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    changed = any(content.get(name) is not None for name in ("truncation", "padding"))
    if changed or content.get("post_processor") is None or not added.issuperset(special.values()):
        return None
    return PlainTokenizer(tokenizer, special)
