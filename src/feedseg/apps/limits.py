"""What a server accepts from people it does not know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, and of all that are answered at a time."""

    bytes: int = 32 * 2**20  # of a request's body
    pixels: int = 40_000_000  # of an image
    words: int = 500  # synonyms and the background's words included
    characters: int = 20_000  # of all words together
    queue: int = 64  # requests that wait or are answered, the next one is sent away
    image_bytes: int = 2**30  # of decoded images that wait
    decode_seconds: float = 10.0  # for an image, of which two are decoded at a time
    seconds: float = 60.0  # from the first byte of a request to its answer
    batch: int = 16  # requests that are encoded together
    cache_bytes: int = 512 * 2**20  # of encoded images
    models: int = 2  # that are loaded at a time
