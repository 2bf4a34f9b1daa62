"""Images that were encoded before, so that other words for them cost a fraction."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Any

from torch import Tensor

from feedseg.segmenter import EncodedImage


class EncodedImages:
    """The last ones, by content, model and host, within a number of bytes; shared by threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[EncodedImage, int]] = OrderedDict()
        self._lock = Lock()

    @property
    def bytes(self) -> int:
        """How much they take."""
        return self._bytes

    def get(self, key: Hashable) -> EncodedImage | None:
        """The image of a key, which now is the last one used."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, image: EncodedImage) -> None:
        """Keep an image; those that were used longest ago go, and one that is too large alone is not kept."""
        size = bytes_of(image)
        with self._lock:
            if size > self._most or key in self._kept:
                return
            self._kept[key] = image, size
            self._bytes += size
            while self._bytes > self._most:
                _, (_, freed) = self._kept.popitem(last=False)
                self._bytes -= freed

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def bytes_of(image: EncodedImage) -> int:
    """What an encoded image takes: its pixels, and its windows with what is computed from them when they are asked."""
    windows = 0
    for window in (one for _, first in image.windows for one in (first, first.second) if one is not None):
        embedding = window.first.numel() * 4  # computed with the first words, and kept
        own = sum(map(_tensors, (window.readout, window.proxied, *window.output.tokens.values())))
        windows += own + 2 * embedding
    return image.image.pixels.nbytes + windows


def _tensors(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if is_dataclass(value):
        return sum(_tensors(getattr(value, field.name)) for field in fields(value))
    return 0
